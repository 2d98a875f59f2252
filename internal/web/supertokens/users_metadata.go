package supertokens

import (
	"context"
)

func (f *Face) metadataEndpoints() []endpoint {
	return []endpoint{
		get("/recipe/user/metadata", onApp, worded(f.metadata)),
		put("/recipe/user/metadata", onApp, worded(f.updateMetadata)),
		post("/recipe/user/metadata/remove", onApp, worded(f.removeMetadata)),
	}
}

func (f *Face) metadata(ctx context.Context, r *request) (any, error) {
	id, err := r.askedName("userId")
	if err != nil {
		return nil, err
	}
	data, err := f.cfg.Recipe.Metadata(ctx, r.app, id)
	if err != nil {
		return nil, err
	}
	return ok(reply{"metadata": data}), nil
}

func (f *Face) updateMetadata(ctx context.Context, r *request) (any, error) {
	id, err := r.name("userId")
	if err != nil {
		return nil, err
	}
	update, err := r.object("metadataUpdate")
	if err != nil {
		return nil, err
	}
	data, err := f.cfg.Recipe.UpdateMetadata(ctx, r.call, r.app, id, update)
	if err != nil {
		return nil, err
	}
	return ok(reply{"metadata": data}), nil
}

func (f *Face) removeMetadata(ctx context.Context, r *request) (any, error) {
	id, err := r.name("userId")
	if err != nil {
		return nil, err
	}
	if err := f.cfg.Recipe.RemoveMetadata(ctx, r.call, r.app, id); err != nil {
		return nil, err
	}
	return ok(nil), nil
}

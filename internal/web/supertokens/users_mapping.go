package supertokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

func (f *Face) mappingEndpoints() []endpoint {
	return []endpoint{
		post("/recipe/userid/map", onApp, worded(f.mapUser)),
		get("/recipe/userid/map", onApp, worded(f.mapping)),
		post("/recipe/userid/map/remove", onApp, worded(f.unmapUser)),
		put("/recipe/userid/external-user-id-info", onApp, worded(f.mappingInfo)),
	}
}

func (f *Face) mapUser(ctx context.Context, r *request) (any, error) {
	var e recipe.External
	var err error
	if e.UserID, err = r.name("superTokensUserId"); err != nil {
		return nil, err
	}
	if e.Name, err = r.name("externalUserId"); err != nil {
		return nil, err
	}
	if e.Info, e.HasInfo, err = r.maybeText("externalUserIdInfo"); err != nil {
		return nil, err
	}
	clash, err := f.cfg.Recipe.Map(ctx, r.call, r.app, e)
	switch fault.ReasonOf(err) {
	case fault.ReasonUnknownUser:
		return status("UNKNOWN_SUPERTOKENS_USER_ID_ERROR"), nil
	case fault.ReasonMapped:
		out := status(words[fault.ReasonMapped])
		out["doesSuperTokensUserIdExist"], out["doesExternalUserIdExist"] = clash.User, clash.Name
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return ok(nil), nil
}

// nameKind reads which of its two names a caller means.
func nameKind(text string) (recipe.NameKind, error) {
	switch text {
	case "", "ANY":
		return recipe.AnyName, nil
	case "SUPERTOKENS":
		return recipe.OwnName, nil
	case "EXTERNAL":
		return recipe.ExternalName, nil
	}
	return 0, bad("Field name 'userIdType' should be one of 'SUPERTOKENS', 'EXTERNAL' or 'ANY'")
}

// mapped reads userId and userIdType of a body.
func (r *request) mapped() (name string, kind recipe.NameKind, err error) {
	if name, err = r.name("userId"); err != nil {
		return "", 0, err
	}
	text, _, err := r.maybeText("userIdType")
	if err != nil {
		return "", 0, err
	}
	kind, err = nameKind(text)
	return name, kind, err
}

func (f *Face) mapping(ctx context.Context, r *request) (any, error) {
	name, err := r.askedName("userId")
	if err != nil {
		return nil, err
	}
	kind, err := nameKind(r.query.Get("userIdType"))
	if err != nil {
		return nil, err
	}
	e, err := f.cfg.Recipe.Mapping(ctx, r.app, name, kind)
	if err != nil {
		return nil, err
	}
	out := ok(reply{"superTokensUserId": e.UserID, "externalUserId": e.Name})
	if e.HasInfo {
		out["externalUserIdInfo"] = e.Info
	}
	return out, nil
}

// namesOf gives every name of a user by one of them: sessions stand under the name they were opened with.
func (f *Face) namesOf(ctx context.Context, r *request, name string) ([]string, error) {
	if f.cfg.Recipe == nil {
		return []string{name}, nil
	}
	e, err := f.cfg.Recipe.Mapping(ctx, r.app, name, recipe.AnyName)
	switch {
	case err == nil:
		return []string{e.UserID, e.Name}, nil
	case fault.ReasonOf(err) == fault.ReasonUnknownMapping:
		return []string{name}, nil
	}
	return nil, err
}

func (f *Face) unmapUser(ctx context.Context, r *request) (any, error) {
	name, kind, err := r.mapped()
	if err != nil {
		return nil, err
	}
	found, err := f.cfg.Recipe.Unmap(ctx, r.call, r.app, name, kind)
	if err != nil {
		return nil, err
	}
	return ok(reply{"didMappingExist": found}), nil
}

func (f *Face) mappingInfo(ctx context.Context, r *request) (any, error) {
	name, kind, err := r.mapped()
	if err != nil {
		return nil, err
	}
	e := recipe.External{Name: name}
	if e.Info, e.HasInfo, err = r.maybeText("externalUserIdInfo"); err != nil {
		return nil, err
	}
	if err := f.cfg.Recipe.SetInfo(ctx, r.call, r.app, e, kind); err != nil {
		return nil, err
	}
	return ok(nil), nil
}

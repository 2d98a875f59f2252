package supertokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

// linkingEndpoints are called by applications that turn account linking on. An address belongs to one user here, whatever they sign in by, so
// there is never a second account to link: a user is made primary, and that is all.
func (f *Face) linkingEndpoints() []endpoint {
	return []endpoint{
		get("/recipe/accountlinking/user/primary/check", onApp, f.checkPrimary),
		post("/recipe/accountlinking/user/primary", onApp, f.makePrimary),
		get("/recipe/accountlinking/user/link/check", onApp, f.checkLink),
		post("/recipe/accountlinking/user/link", onApp, f.link),
		post("/recipe/accountlinking/user/unlink", onApp, f.unlink),
	}
}

// linkable reads the account of a recipe user id.
func (f *Face) linkable(ctx context.Context, r *request, id string, err error) (recipe.Account, error) {
	if err != nil {
		return recipe.Account{}, err
	}
	a, err := f.cfg.Recipe.Get(ctx, r.app, id)
	if fault.ReasonOf(err) == fault.ReasonUnknownUser {
		err = bad("Unknown user ID provided")
	}
	return a, err
}

func (f *Face) checkPrimary(ctx context.Context, r *request) (any, error) {
	id, err := r.asked("recipeUserId")
	a, err := f.linkable(ctx, r, id, err)
	if err != nil {
		return nil, err
	}
	return ok(reply{"wasAlreadyAPrimaryUser": a.Primary}), nil
}

func (f *Face) makePrimary(ctx context.Context, r *request) (any, error) {
	id, err := r.text("recipeUserId")
	a, err := f.linkable(ctx, r, id, err)
	if err != nil {
		return nil, err
	}
	changed, err := f.cfg.Recipe.SetPrimary(ctx, r.call, r.app, a.User.ID, true)
	if err != nil {
		return nil, err
	}
	a.Primary = true
	return ok(reply{"wasAlreadyAPrimaryUser": !changed, "user": userObject(r.version, &a)}), nil
}

func (f *Face) checkLink(ctx context.Context, r *request) (any, error) {
	primary, err := r.asked("primaryUserId")
	if err != nil {
		return nil, err
	}
	id, err := r.asked("recipeUserId")
	return f.linked(ctx, r, primary, id, err)
}

func (f *Face) link(ctx context.Context, r *request) (any, error) {
	primary, err := r.text("primaryUserId")
	if err != nil {
		return nil, err
	}
	id, err := r.text("recipeUserId")
	return f.linked(ctx, r, primary, id, err)
}

func (f *Face) linked(ctx context.Context, r *request, primary, id string, err error) (any, error) {
	p, err := f.linkable(ctx, r, primary, err)
	if err != nil {
		return nil, err
	}
	a, err := f.linkable(ctx, r, id, nil)
	if err != nil {
		return nil, err
	}
	switch {
	case !p.Primary:
		return status("INPUT_USER_IS_NOT_A_PRIMARY_USER"), nil
	case p.User.ID == a.User.ID:
		return ok(reply{"accountsAlreadyLinked": true, "user": userObject(r.version, &p)}), nil
	}
	return reply{
		"status": "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR", "primaryUserId": a.Name(), "user": userObject(r.version, &a),
		"description": "an address belongs to one user here: there is nothing to link",
	}, nil
}

func (f *Face) unlink(ctx context.Context, r *request) (any, error) {
	id, err := r.text("recipeUserId")
	a, err := f.linkable(ctx, r, id, err)
	if err != nil {
		return nil, err
	}
	was, err := f.cfg.Recipe.SetPrimary(ctx, r.call, r.app, a.User.ID, false)
	if err != nil {
		return nil, err
	}
	return ok(reply{"wasRecipeUserDeleted": false, "wasLinked": was}), nil
}

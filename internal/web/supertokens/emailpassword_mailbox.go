package supertokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func (f *Face) mailboxEndpoints() []endpoint {
	return []endpoint{
		post("/recipe/user/email/verify/token", onTenant, worded(f.askVerify)),
		post("/recipe/user/email/verify", onTenant, worded(f.verifyEmail)),
		get("/recipe/user/email/verify", onApp, worded(f.isVerified)),
		post("/recipe/user/email/verify/remove", onApp, worded(f.unverify)),
		post("/recipe/user/email/verify/token/remove", onTenant, worded(f.dropVerify)),
	}
}

func (r *request) userAndEmail() (id, email string, err error) {
	if id, err = r.text("userId"); err != nil {
		return "", "", err
	}
	email, err = r.text("email")
	return id, email, err
}

// askVerify makes a token that the application mails.
func (f *Face) askVerify(ctx context.Context, r *request) (any, error) {
	id, email, err := r.userAndEmail()
	if err != nil {
		return nil, err
	}
	token, err := f.cfg.Recipe.AskVerify(ctx, r.call, r.app, recipe.Token{Org: r.org, Subject: id, Email: email})
	if err != nil {
		return nil, err
	}
	return ok(reply{"token": token.Reveal()}), nil
}

func (f *Face) verifyEmail(ctx context.Context, r *request) (any, error) {
	if err := r.byToken(); err != nil {
		return nil, err
	}
	token, err := r.text("token")
	if err != nil {
		return nil, err
	}
	k, err := f.cfg.Recipe.Verify(ctx, r.call, r.app, r.org, secret.NewText(token))
	if err != nil {
		return nil, err
	}
	return f.spent(ctx, r, k)
}

func (f *Face) isVerified(ctx context.Context, r *request) (any, error) {
	id, err := r.asked("userId")
	if err != nil {
		return nil, err
	}
	email, err := r.asked("email")
	if err != nil {
		return nil, err
	}
	yes, err := f.cfg.Recipe.Proved(ctx, r.app, id, email)
	if err != nil {
		return nil, err
	}
	return ok(reply{"isVerified": yes}), nil
}

func (f *Face) unverify(ctx context.Context, r *request) (any, error) {
	id, email, err := r.userAndEmail()
	if err != nil {
		return nil, err
	}
	if err := f.cfg.Recipe.Unprove(ctx, r.call, r.app, id, email); err != nil {
		return nil, err
	}
	return ok(nil), nil
}

func (f *Face) dropVerify(ctx context.Context, r *request) (any, error) {
	id, email, err := r.userAndEmail()
	if err != nil {
		return nil, err
	}
	if err := f.cfg.Recipe.DropVerify(ctx, r.call, r.app, recipe.Token{Org: r.org, Subject: id, Email: email}); err != nil {
		return nil, err
	}
	return ok(nil), nil
}

package supertokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func (f *Face) passwordEndpoints() []endpoint {
	return []endpoint{
		post("/recipe/signup", onTenant, worded(f.signUp)),
		post("/recipe/signin", onTenant, worded(f.signIn)),
		put("/recipe/user", onApp, worded(f.changeUser)),
		get("/recipe/user", onTenant, worded(f.oldGetUser)),
		post("/recipe/user/password/reset/token", onTenant, worded(f.askReset)),
		post("/recipe/user/password/reset/token/consume", onTenant, worded(f.consumeReset)),
		post("/recipe/user/password/reset", onTenant, worded(f.resetPassword)),
		post("/recipe/user/passwordhash/import", onTenant, worded(f.importHash)),
	}
}

// password gives a password field; the library has checked what it wants of it, so only an empty one is refused.
func (r *request) password(name string) (secret.Text, error) {
	text, err := r.text(name)
	if err == nil && text == "" {
		err = bad("Password cannot be an empty string")
	}
	return secret.NewText(text), err
}

func (r *request) emailAndPassword() (email string, pw secret.Text, err error) {
	if email, err = r.text("email"); err != nil {
		return "", pw, err
	}
	pw, err = r.password("password")
	return email, pw, err
}

// signUp makes an account that works at once, as the protocol says; native logins wait for the mailbox to be proved.
func (f *Face) signUp(ctx context.Context, r *request) (any, error) {
	email, pw, err := r.emailAndPassword()
	if err != nil {
		return nil, err
	}
	a, err := f.cfg.Recipe.SignUp(ctx, r.call, r.app, r.org, email, pw)
	if err != nil {
		return nil, err
	}
	return userReply(r.version, &a), nil
}

// signIn checks a password under the account's own limit, with equal work for addresses that nobody has.
func (f *Face) signIn(ctx context.Context, r *request) (any, error) {
	email, pw, err := r.emailAndPassword()
	if err != nil {
		return nil, err
	}
	if _, err := user.NormaliseEmail(email); err != nil {
		return status(words[fault.ReasonInvalidCredentials]), nil //nolint:nilerr // nobody has it
	}
	u, err := f.cfg.Passwords.Check(ctx, r.call, login.CheckRequest{Tenant: r.app, Email: email, Password: pw})
	if err != nil {
		return nil, err
	}
	a, err := f.cfg.Recipe.Get(ctx, r.app, u.ID)
	if err != nil && fault.ReasonOf(err) != fault.ReasonUnknownUser {
		return nil, err
	}
	if err != nil || !a.In(r.org) {
		return status(words[fault.ReasonInvalidCredentials]), nil //nolint:nilerr // deleted since, or of another organisation
	}
	return userReply(r.version, &a), nil
}

// userField is the field that names a user: it was renamed when accounts came to be linked.
func (r *request) userField() (string, error) {
	if r.version.from(linking) {
		return r.text("recipeUserId")
	}
	return r.text("userId")
}

func (f *Face) changeUser(ctx context.Context, r *request) (any, error) {
	id, err := r.userField()
	if err != nil {
		return nil, err
	}
	email, hasEmail, err := r.maybeText("email")
	if err != nil {
		return nil, err
	}
	_, hasPassword, err := r.maybeText("password")
	if err != nil {
		return nil, err
	}
	var to *string
	if hasEmail {
		to = &email
	}
	var pw *secret.Text
	if hasPassword {
		text, err := r.password("password")
		if err != nil {
			return nil, err
		}
		pw = &text
	}
	if err := f.cfg.Recipe.Change(ctx, r.call, r.app, id, to, pw); err != nil {
		return nil, err
	}
	return ok(nil), nil
}

// oldGetUser finds a user in the way of the older libraries.
func (f *Face) oldGetUser(ctx context.Context, r *request) (any, error) {
	switch {
	case r.query.Has("userId"):
		return f.found(r, "UNKNOWN_USER_ID_ERROR", func() (recipe.Account, error) { return f.cfg.Recipe.Get(ctx, r.app, r.query.Get("userId")) })
	case r.query.Has("email"):
		return f.found(r, "UNKNOWN_EMAIL_ERROR", func() (recipe.Account, error) { return f.cfg.Recipe.ByEmail(ctx, r.app, r.query.Get("email")) })
	case r.query.Has("phoneNumber"):
		return status("UNKNOWN_PHONE_NUMBER_ERROR"), nil
	case r.query.Has("thirdPartyId"), r.query.Has("thirdPartyUserId"):
		return status("UNKNOWN_THIRD_PARTY_USER_ERROR"), nil
	}
	return nil, bad("Please provide one of userId or email")
}

func (f *Face) found(r *request, absent string, find func() (recipe.Account, error)) (any, error) {
	a, err := find()
	switch {
	case err == nil && (absent == "UNKNOWN_USER_ID_ERROR" || a.In(r.org)):
		return ok(reply{"user": userObject(r.version, &a)}), nil
	case err == nil, fault.ReasonOf(err) == fault.ReasonUnknownUser:
		return status(absent), nil
	}
	return nil, err
}

// askReset makes a token that the application mails.
func (f *Face) askReset(ctx context.Context, r *request) (any, error) {
	id, err := r.text("userId")
	if err != nil {
		return nil, err
	}
	email := ""
	if r.version.from(linking) {
		if email, err = r.text("email"); err != nil {
			return nil, err
		}
	}
	token, err := f.cfg.Recipe.AskReset(ctx, r.call, r.app, recipe.Token{Org: r.org, Subject: id, Email: email})
	if err != nil {
		return nil, err
	}
	return ok(reply{"token": token.Reveal()}), nil
}

// consumeReset spends a token; the library sets the new password with its next call.
func (f *Face) consumeReset(ctx context.Context, r *request) (any, error) {
	token, err := r.text("token")
	if err != nil {
		return nil, err
	}
	k, err := f.cfg.Recipe.Reset(ctx, r.call, r.app, r.org, secret.NewText(token), nil)
	if err != nil {
		return nil, err
	}
	return f.spent(ctx, r, k)
}

// spent is the answer of a spent token.
func (f *Face) spent(ctx context.Context, r *request, k recipe.Token) (any, error) {
	id, err := f.cfg.Recipe.Shown(ctx, r.app, k.Subject)
	if err != nil {
		return nil, err
	}
	return ok(reply{"userId": id, "email": k.Email}), nil
}

// resetPassword is the older way: token and new password at once.
func (f *Face) resetPassword(ctx context.Context, r *request) (any, error) {
	if err := r.byToken(); err != nil {
		return nil, err
	}
	token, err := r.text("token")
	if err != nil {
		return nil, err
	}
	pw, err := r.password("newPassword")
	if err != nil {
		return nil, err
	}
	k, err := f.cfg.Recipe.Reset(ctx, r.call, r.app, r.org, secret.NewText(token), &pw)
	if err != nil {
		return nil, err
	}
	id, err := f.cfg.Recipe.Shown(ctx, r.app, k.Subject)
	if err != nil {
		return nil, err
	}
	return ok(reply{"userId": id}), nil
}

// byToken takes the one method there is.
func (r *request) byToken() error {
	method, err := r.text("method")
	if err == nil && method != "token" {
		err = bad("Unsupported method for email verification or password reset")
	}
	return err
}

// importHash takes over a user of another system with the hash of their password.
func (f *Face) importHash(ctx context.Context, r *request) (any, error) {
	email, err := r.text("email")
	if err != nil {
		return nil, err
	}
	hash, err := r.text("passwordHash")
	if err != nil {
		return nil, err
	}
	form, _, err := r.maybeText("hashingAlgorithm")
	if err != nil {
		return nil, err
	}
	a, existed, err := f.cfg.Recipe.Import(ctx, r.call, r.app, recipe.Newcomer{Org: r.org, Email: email}, hash, form)
	if err != nil {
		return nil, err
	}
	out := userReply(r.version, &a)
	delete(out, "recipeUserId")
	out["didUserAlreadyExist"] = existed
	return out, nil
}

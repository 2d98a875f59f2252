package loginapi

import (
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// PasswordBody is the body of POST /login/password.
type PasswordBody struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	ClientID string `json:"client_id,omitempty"`
}

// RegisterBody is the body of POST /register.
type RegisterBody struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Name     string `json:"name,omitempty"`
	Locale   string `json:"locale,omitempty" doc:"language tag for mails and pages"`
	ClientID string `json:"client_id,omitempty"`
}

// MailBody is the body of the calls that send a mail.
type MailBody struct {
	Email    string `json:"email"`
	ClientID string `json:"client_id,omitempty"`
}

// ResetBody is the body of POST /password/reset.
type ResetBody struct {
	Token    string `json:"token" doc:"from the mail"`
	Password string `json:"password"`
}

// RefreshBody is the optional body of POST /jwt/refresh.
type RefreshBody struct {
	RefreshToken string `json:"refresh_token,omitempty"`
	ClientID     string `json:"client_id,omitempty"`
}

// LogoutBody is the optional body of POST /logout.
type LogoutBody struct {
	Revoke       *bool  `json:"revoke,omitempty" doc:"false keeps the session and only clears the cookies"`
	All          bool   `json:"all,omitempty" doc:"ends every session of the user"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ClientID     string `json:"client_id,omitempty"`
}

// MeBody is the body of PATCH /me; absent fields stay as they are.
type MeBody struct {
	Name   *string          `json:"name,omitempty"`
	Locale *string          `json:"locale,omitempty"`
	Data   *json.RawMessage `json:"data,omitempty" doc:"a free JSON object, replaced whole"`
	Email  *string          `json:"email,omitempty" doc:"changes once the new mailbox is proved"`
}

// Accepted answers the calls that never say whether an address is known.
type Accepted struct {
	Message string `json:"message" doc:"may be shown to a person"`
}

// accepted is the same for every address.
var accepted = Accepted{Message: "if the address can be used, a message is on its way"}

// LoginAnswer is a successful login or refresh.
type LoginAnswer struct {
	AccessToken    string  `json:"access_token,omitempty" doc:"absent when the tokens travel by cookie only"`
	RefreshToken   string  `json:"refresh_token,omitempty" doc:"absent when the tokens travel by cookie only"`
	TokenType      string  `json:"token_type,omitempty" enum:"Bearer,DPoP"`
	ExpiresIn      int64   `json:"expires_in" doc:"life left of the access token in seconds"`
	RefreshExpires int64   `json:"refresh_expires_in" doc:"life left of the refresh token in seconds"`
	User           *Person `json:"user,omitempty" doc:"after a login, and after a refresh by cookie"`
}

// Person is the user as a login answer shows them.
type Person struct {
	ID            string   `json:"id"`
	Email         string   `json:"email"`
	EmailVerified bool     `json:"email_verified"`
	Name          string   `json:"name"`
	Roles         []string `json:"roles" nullable:"false"`
}

// LogoutAnswer answers POST /logout.
type LogoutAnswer struct {
	Message string `json:"message" doc:"may be shown to a person"`
}

// loggedOut is the same whatever the tokens were worth.
var loggedOut = LogoutAnswer{Message: "logged out"}

// ResetAnswer answers POST /password/reset.
type ResetAnswer struct {
	RedirectURL string `json:"redirect_url,omitempty" doc:"the client's page to go on to, when it has one"`
}

// Me is the user's own profile.
type Me struct {
	ID            string          `json:"id"`
	Email         string          `json:"email"`
	EmailVerified bool            `json:"email_verified"`
	Name          string          `json:"name"`
	Locale        string          `json:"locale"`
	Data          json.RawMessage `json:"data"`
	Roles         []string        `json:"roles" nullable:"false"`
	CreatedAt     string          `json:"created_at" format:"date-time"`
	EmailPending  bool            `json:"email_pending,omitempty" doc:"a mail to the new address is on its way"`
}

// SessionList is a page of sessions.
type SessionList struct {
	Items []SessionItem `json:"items" nullable:"false"`
	Next  string        `json:"next,omitempty" doc:"for the parameter after; absent on the last page"`
}

// SessionItem is one session as its owner sees it.
type SessionItem struct {
	ID        string `json:"id"`
	Current   bool   `json:"current" doc:"the session of this call"`
	ClientID  string `json:"client_id"`
	Device    string `json:"device" doc:"the browser or app as it named itself"`
	Place     string `json:"place" doc:"coarse network of the caller who opened it"`
	CreatedAt string `json:"created_at" format:"date-time"`
	LastSeen  string `json:"last_seen" format:"date-time" doc:"coarse"`
	ExpiresAt string `json:"expires_at" format:"date-time" doc:"when it ends if it is not used"`
	Bound     string `json:"bound" enum:"none,dpop" doc:"how the session is bound to its device"`
	ParentID  string `json:"parent_id,omitempty" doc:"the session it was handed over from; it ends with it"`
}

// EndedAnswer counts ended sessions.
type EndedAnswer struct {
	Ended int `json:"ended"`
}

// instant writes RFC 3339 in UTC with milliseconds.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func roles(r []string) []string {
	if r == nil {
		return []string{}
	}
	return r
}

func person(t *session.Tokens) *Person {
	return &Person{
		ID: t.Family.Subject, Email: t.Holder.Email, EmailVerified: t.Holder.Verified, Name: t.Holder.Name, Roles: roles(t.Holder.Roles),
	}
}

func profile(u *user.User, pending bool) Me {
	mail := u.PrimaryEmail()
	me := Me{
		ID: u.ID, Email: mail.Value, EmailVerified: mail.Verified(), Name: u.Name, Locale: u.Locale, Data: u.Data,
		Roles: []string{}, CreatedAt: instant(u.CreatedAt), EmailPending: pending,
	}
	if len(me.Data) == 0 {
		me.Data = json.RawMessage("{}")
	}
	if u.Registration != nil {
		me.Roles = roles(u.Registration.Roles)
	}
	return me
}

func item(f *session.Family, current string) SessionItem {
	bound := "none"
	if f.Binding != "" {
		bound = "dpop"
	}
	expires := f.IdleExpiry
	if f.AbsoluteExpiry.Before(expires) {
		expires = f.AbsoluteExpiry
	}
	return SessionItem{
		ID: f.ID, Current: f.ID == current, ClientID: f.ClientID, Device: f.Agent, Place: f.Place, CreatedAt: instant(f.CreatedAt),
		LastSeen: instant(f.LastSeen), ExpiresAt: instant(expires), Bound: bound, ParentID: f.ParentID,
	}
}

// needed refuses absent and empty fields, given as name, value pairs.
func needed(pairs ...string) error {
	var faulty []fault.Field
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			faulty = append(faulty, fault.Field{Name: pairs[i], Message: "is missing"})
		}
	}
	if faulty == nil {
		return nil
	}
	return fault.New(fault.Invalid, fault.ReasonInvalid, "a needed field is missing").WithFields(faulty...)
}

func invalid(field, problem string) error {
	return fault.New(fault.Invalid, fault.ReasonInvalid, "the field "+field+" "+problem).WithFields(fault.Field{Name: field, Message: problem})
}

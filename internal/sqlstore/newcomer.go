package sqlstore

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// newcomer is a user made from a proved mailbox.
type newcomer struct {
	tenantID, userID, clientID string
	name, locale               string
	roles                      []string
	email                      user.Identifier
	password                   credential.Password
	at                         time.Time
}

// write makes the user: active, epoch 1, with one verified primary address, one password and one registration. Gone when the address
// belongs to somebody: whoever proved it second must not get the first one's account.
func (n newcomer) write(q queryer) error {
	u := user.User{
		TenantID: n.tenantID, ID: n.userID, Status: user.Active, Epoch: 1, Name: n.name, Locale: n.locale, CreatedAt: n.at, UpdatedAt: n.at,
		Version: 1,
	}
	if err := putUser(q, &u); err != nil {
		return err
	}
	n.email.Kind, n.email.VerifiedAt, n.email.Primary = user.Email, n.at, true
	free, err := putIdentifier(q, n.tenantID, n.userID, n.email)
	if err != nil {
		return err
	}
	if !free {
		return gone()
	}
	if err := putPassword(q, n.tenantID, n.userID, n.password); err != nil || n.clientID == "" {
		return err
	}
	return putRegistration(q, n.tenantID, n.userID, user.Registration{ClientID: n.clientID, Roles: n.roles, CreatedAt: n.at})
}

package supertokens

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// A session handle is the session's id, with "_" and the tenant behind it unless that is public.

// orgOf is the tenant of a stored session; sessions of other faces have none.
func orgOf(stored string) string {
	if stored == "" {
		return publicName
	}
	return stored
}

// storedOrg is the reverse.
func storedOrg(org string) string {
	if org == publicName {
		return ""
	}
	return org
}

func handle(fam *session.Family) string { return handleOf(fam.ID, fam.OrgID) }

func handleOf(id, storedOrg string) string {
	if org := orgOf(storedOrg); org != publicName {
		return id + "_" + org
	}
	return id
}

// parseHandle gives id and tenant.
func parseHandle(s string) (id, org string) {
	id, org, found := strings.Cut(s, "_")
	if !found {
		org = publicName
	}
	return id, org
}

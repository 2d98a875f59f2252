package supertokens_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// TestFace is the face over real services on every engine.
func TestFace(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		w := newWorld(t, s)
		for _, step := range []struct {
			name string
			test func(*testing.T, *world)
		}{
			{"doors", doors}, {"versions", versions}, {"unknown paths and methods", unknownPaths}, {"apps and tenants", appsAndTenants},
			{"hello", hello}, {"jwks", jwks}, {"bad input", badInput}, {"labels", labels},
			{"create", create}, {"create in old versions", createOld}, {"nulls survive", nulls}, {"protected claims", protectedClaims},
			{"verify", verify}, {"anti csrf", antiCSRF}, {"refresh and promote", refreshAndPromote}, {"theft", theft}, {"tampered", tampered},
			{"static and dynamic", staticAndDynamic}, {"regenerate", regenerate}, {"data", data}, {"get session", getSession},
			{"remove", remove}, {"more than a thousand", thousands}, {"our users", ourUsers}, {"other dialects", otherDialects},
			{"client changes", clientChanges}, {"jwt", jwt}, {"expiry", expiry},
			{"race: one parent", raceOneParent}, {"race: verify and refresh", raceVerifyRefresh}, {"race: refresh and remove", raceRefreshRemove},
			{"two nodes", twoNodes},
		} {
			t.Run(step.name, func(t *testing.T) { step.test(t, w) })
		}
	})
}

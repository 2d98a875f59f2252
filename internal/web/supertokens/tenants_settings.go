package supertokens

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
)

// settings are what is kept of a tenant, as JSON. A nil list of factors means that nothing is ruled out.
type settings struct {
	First      *[]string       `json:"first_factors,omitempty"`
	Second     *[]string       `json:"required_secondary_factors,omitempty"`
	CoreConfig json.RawMessage `json:"core_config,omitempty"`
}

func settingsOf(o recipe.Organisation) (s settings, err error) {
	if len(o.Config) > 0 {
		if err = json.Unmarshal(o.Config, &s); err != nil {
			err = fault.From(err)
		}
	}
	return s, err
}

func (s settings) stored() (json.RawMessage, error) {
	out, err := json.Marshal(s)
	if err != nil {
		return nil, fault.From(err)
	}
	return out, nil
}

// The factors of each recipe that the older form switches as a whole.
var factorsOf = map[string][]string{
	"emailPassword": {"emailpassword"},
	"thirdParty":    {"thirdparty"},
	"passwordless":  {"otp-email", "otp-phone", "link-email", "link-phone"},
}

var switches = []string{"emailPassword", "thirdParty", "passwordless"}

// enabled is the older form's view.
func (s settings) enabled(name string) bool {
	return s.First == nil || slices.ContainsFunc(factorsOf[name], func(factor string) bool { return slices.Contains(*s.First, factor) })
}

// changeSettings puts the fields of a body over s: absent ones stay, null takes away.
func (r *request) changeSettings(s *settings) error {
	if err := r.changeSwitches(s); err != nil {
		return err
	}
	for name, into := range map[string]**[]string{"firstFactors": &s.First, "requiredSecondaryFactors": &s.Second} {
		if err := r.changeFactors(name, into); err != nil {
			return err
		}
	}
	core, err := r.maybeObject("coreConfig")
	if err != nil || core == nil {
		return err
	}
	members, err := strictjson.Object(core, strictjson.Limits{})
	if err != nil {
		return badField("coreConfig")
	}
	for _, m := range members { // whatever names a database, and the password in it, is not ours to keep
		if strings.HasPrefix(m.Name, "postgresql_") || strings.HasPrefix(m.Name, "mysql_") || strings.HasPrefix(m.Name, "mongodb_") {
			return bad("Invalid core config.")
		}
	}
	s.CoreConfig, err = recipe.Merge(s.CoreConfig, core)
	return err
}

// changeSwitches reads the older form.
func (r *request) changeSwitches(s *settings) error {
	on := map[string]bool{}
	named := false
	for _, name := range switches {
		m, err := r.member(name + "Enabled")
		if err != nil {
			return err
		}
		on[name] = s.enabled(name)
		if none(m) {
			continue
		}
		if on[name], err = r.flag(name + "Enabled"); err != nil {
			return err
		}
		named = true
	}
	if !named {
		return nil
	}
	list := []string{}
	for _, name := range switches {
		if on[name] {
			list = append(list, factorsOf[name]...)
		}
	}
	if s.First = &list; on["emailPassword"] && on["thirdParty"] && on["passwordless"] {
		s.First = nil
	}
	return nil
}

func (r *request) changeFactors(name string, into **[]string) error {
	m, err := r.member(name)
	switch {
	case err != nil || m.Name == "":
		return err
	case none(m):
		*into = nil
		return nil
	}
	list, err := r.names(name)
	if err != nil {
		return err
	}
	if len(list) == 0 || len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list) {
		return bad(name + " should be a non-empty array of distinct factors")
	}
	*into = &list
	return nil
}

// orgObject is a tenant as it is shown; form is "/v2" or "".
func orgObject(form string, o recipe.Organisation) (reply, error) {
	s, err := settingsOf(o)
	if err != nil {
		return nil, err
	}
	out := reply{"tenantId": o.ID, "coreConfig": json.RawMessage(`{}`)}
	if len(s.CoreConfig) > 0 {
		out["coreConfig"] = s.CoreConfig
	}
	third := reply{"providers": []string{}}
	out["thirdParty"] = third
	if s.First != nil {
		out["firstFactors"] = *s.First
	}
	if s.Second != nil {
		out["requiredSecondaryFactors"] = *s.Second
	}
	if form == "" {
		third["enabled"] = s.enabled("thirdParty")
		out["emailPassword"] = reply{"enabled": s.enabled("emailPassword")}
		out["passwordless"] = reply{"enabled": s.enabled("passwordless")}
	}
	return out, nil
}

// cleanOrg brings a tenant's name to the form of paths.
func cleanOrg(id string) (string, error) {
	id = strings.ToLower(strings.TrimSpace(id))
	switch {
	case strings.HasPrefix(id, "appid-"):
		return "", bad("tenantId must not start with 'appid-'")
	case notOrgs[id]:
		return "", bad("Cannot use '" + id + "' as a tenantId")
	case len(id) > 64 || !orgName(id):
		return "", bad("tenantId can only contain letters, numbers and hyphens")
	}
	return id, nil
}

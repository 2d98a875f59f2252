package supertokens

import (
	"net/http"
	"slices"
)

// userEndpoints are the recipes about people. Those of phones and identity providers are not there: they answer as unknown paths do.
func (f *Face) userEndpoints() []endpoint {
	if f.cfg.Recipe == nil || f.cfg.Passwords == nil {
		return nil
	}
	return slices.Concat(f.listEndpoints(), f.passwordEndpoints(), f.mailboxEndpoints(), f.metadataEndpoints(), f.roleEndpoints(),
		f.mappingEndpoints(), f.linkingEndpoints())
}

func get(path string, s scope, h handler) endpoint {
	return endpoint{method: http.MethodGet, path: path, scope: s, handle: h}
}

func post(path string, s scope, h handler) endpoint {
	return endpoint{method: http.MethodPost, path: path, scope: s, handle: h}
}

func put(path string, s scope, h handler) endpoint {
	return endpoint{method: http.MethodPut, path: path, scope: s, handle: h}
}

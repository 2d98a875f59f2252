package supertokens

// tenantEndpoints are apps and tenants.
func (f *Face) tenantEndpoints() []endpoint { return nil }

package supertokens

// sessionEndpoints are the session recipe.
func (f *Face) sessionEndpoints() []endpoint { return nil }

package supertokens

// jwtEndpoints are the jwt recipe.
func (f *Face) jwtEndpoints() []endpoint { return nil }

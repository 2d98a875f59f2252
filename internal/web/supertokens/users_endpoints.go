package supertokens

// userEndpoints are the recipes about people.
func (f *Face) userEndpoints() []endpoint { return nil }

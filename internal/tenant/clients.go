package tenant

// Clients gives every client of a tenant, in no order; the values must not be changed.
func (d *Directory) Clients(tenantID string) []*Client {
	var out []*Client
	for at, c := range d.view.Load().clients {
		if at[0] == tenantID {
			out = append(out, c)
		}
	}
	return out
}

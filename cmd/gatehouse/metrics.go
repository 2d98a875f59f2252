package main

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics is the registry behind /metrics. Labels are bounded: routes by pattern, methods and status classes by the hallway's table; never
// a tenant, a client or anything a stranger may make up.
func (b *building) metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &exporter{b: b}, b.outcomes)
	return r
}

// exporter turns the rooms' Stats into metrics when asked.
type exporter struct{ b *building }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("gatehouse_"+name, help, labels, nil)
}

var (
	descRequests = desc("http_requests_total", "Answers by route and status class.", "method", "route", "class")
	descSeconds  = desc("http_request_seconds_total", "Time spent in answers by route.", "method", "route")
	descHashes   = desc("password_hashes_total", "Password hashes by use.", "use")
	descRunning  = desc("password_hashes_running", "Password hashes being worked on.")
	descWaiting  = desc("password_hashes_waiting", "Callers waiting for a password hash.")
	descMails    = desc("mails_total", "Messages by what became of them.", "result")
	descTenants  = desc("tenants", "Tenants served.")
	descVersion  = desc("directory_version", "Version of the tenants in use.")
	descConns    = desc("store_connections", "Connections of the store by state.", "state")
	descWriting  = desc("store_writes_waiting", "Writes waiting for the writer (SQLite).")
	descWrites   = desc("store_writes_total", "Writes answered (on PostgreSQL: refreshes, which may share a commit).")
	descGroups   = desc("store_commits_total", "Commits that these writes were grouped into.")
	descRetries  = desc("store_retries_total", "Transactions run again (PostgreSQL).")
	descWaits    = desc("store_connection_waits_total", "Times a caller waited for a connection (PostgreSQL).")
	descStoreUp  = desc("store_up", "1 when the store answered this scrape.")
	descClock    = desc("store_clock_offset_seconds", "How far this machine's clock is ahead of the database's.")
	descBacklog  = desc("outbox_messages", "Messages waiting in the outbox.")
	descKeys     = desc("token_keys", "Published signing keys by kind and algorithm.", "kind", "alg")
	descSigning  = desc("token_tenants", "Tenants by whether they can sign with every algorithm.", "state")
	descFollow   = desc("revocation_followers", "Followers of the revocation feed on this node.")
	descSequence = desc("revocation_sequence", "Newest number sent, summed over the tenants that are followed on this node.")
	descBatches  = desc("revocation_batches_total", "Batches of the revocation feed signed here.")
	descSlow     = desc("revocation_followers_dropped_total", "Followers that did not read fast enough.")
	descRedisUp  = desc("ephemeral_redis_up", "1 when Redis works.")
	descEvicts   = desc("ephemeral_redis_evicts", "1 when Redis may evict keys, which it must not.")
	descVerbs    = desc("ephemeral_redis_calls_total", "Calls of Redis by verb and result.", "verb", "result")
	descSwitched = desc("ephemeral_limit_fallbacks_total", "Limits counted beside Redis, because it was down.")
)

// Describe implements prometheus.Collector; the metrics are checked when collected.
func (*exporter) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (e *exporter) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	stats, latencies := e.b.hall.Stats()
	for _, s := range stats {
		count(descRequests, float64(s.Count), s.Method, s.Route, strconv.Itoa(s.Class)+"xx")
	}
	for _, l := range latencies {
		count(descSeconds, l.Sum.Seconds(), l.Method, l.Route)
	}
	p := e.b.passwords.Stats()
	count(descHashes, float64(p.Hashed), "new")
	count(descHashes, float64(p.Verified), "verify")
	count(descHashes, float64(p.Decoys), "decoy")
	count(descHashes, float64(p.Refused), "refused")
	gauge(descRunning, float64(p.Running))
	gauge(descWaiting, float64(p.Waiting))
	m := e.b.mail.Stats()
	count(descMails, float64(m.Sent), "sent")
	count(descMails, float64(m.Failed), "failed")
	count(descMails, float64(m.Lost), "lost")
	gauge(descTenants, float64(len(e.b.directory.All())))
	gauge(descVersion, float64(e.b.directory.Version()))
	s := e.b.store.Stats()
	gauge(descConns, float64(s.Open), "open")
	gauge(descConns, float64(s.Busy), "busy")
	gauge(descConns, float64(s.Max), "max")
	gauge(descWriting, float64(s.Waiting))
	count(descWrites, float64(s.Writes))
	count(descGroups, float64(s.Groups))
	count(descRetries, float64(s.Retries))
	count(descWaits, float64(s.Waits))
	feed := e.b.feed.Stats()
	gauge(descFollow, float64(feed.Followers))
	gauge(descSequence, float64(feed.Sequence))
	count(descBatches, float64(feed.Batches))
	count(descSlow, float64(feed.Dropped))
	e.collectKeys(gauge)
	e.collectStore(gauge)
	e.collectRedis(gauge, count)
}

// measure hands out one value.
type measure func(d *prometheus.Desc, v float64, labels ...string)

func (e *exporter) collectKeys(gauge measure) {
	s := e.b.tokens.Stats()
	for _, k := range s.Keys {
		gauge(descKeys, float64(k.N), string(k.Kind), k.Alg)
	}
	gauge(descSigning, float64(s.Ready), "ready")
	gauge(descSigning, float64(s.Tenants-s.Ready), "waiting")
}

// collectStore asks the store; one that is down costs a scrape a second and says so.
func (e *exporter) collectStore(gauge measure) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	off, err := e.b.clockOff(ctx)
	gauge(descStoreUp, truth(err == nil))
	if err != nil {
		return
	}
	gauge(descClock, off.Seconds())
	if n, err := e.b.store.Outbox().Backlog(ctx); err == nil {
		gauge(descBacklog, float64(n))
	}
}

func (e *exporter) collectRedis(gauge, count measure) {
	if e.b.redis == nil {
		return
	}
	s := e.b.redis.Stats()
	gauge(descRedisUp, truth(s.Up))
	gauge(descEvicts, truth(s.Evicts))
	for _, v := range s.Verbs {
		count(descVerbs, float64(v.Fine), v.Verb, "ok")
		count(descVerbs, float64(v.Failed), v.Verb, "failed")
		count(descVerbs, float64(v.Refused), v.Verb, "not_asked")
	}
	count(descSwitched, float64(e.b.fallback.Switched()))
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

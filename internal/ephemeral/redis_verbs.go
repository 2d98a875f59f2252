package ephemeral

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Prefixes of keys. A limit's hash tag puts all limits of a cluster on one shard.
const (
	redisValue = "gh:value:"
	redisLease = "gh:lease:"
	redisLimit = "gh:{limit}:"
)

// slack is how much longer than needed Redis keeps a key: clocks of nodes differ a little, and the key must be there for the slowest. Tenants'
// clocks only ever run ahead of the wall, so a life by them is never longer than the same life by Redis.
const slack = 10 * time.Second

// A value is a hash: d data, x expiry in microseconds since 1970, i the incarnation of the Redis that took it in. A value of another
// incarnation is absent: a Redis that restarts from its last snapshot, or a replica that takes over, may still hold what was spent since, and
// a one-time value that comes back is one that can be used twice. Lua's numbers are doubles: exact to the microsecond until the year 2255.
var (
	scriptPut = rueidis.NewLuaScript(`
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'd', ARGV[1], 'x', ARGV[2], 'i', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`)
	scriptSwap = rueidis.NewLuaScript(`
local v = redis.call('HMGET', KEYS[1], 'd', 'x', 'i')
if v[1] ~= ARGV[1] or tonumber(v[2]) <= tonumber(ARGV[3]) or v[3] ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], 'd', ARGV[2])
return 1`)
	scriptGet = rueidis.NewLuaScript(`
local v = redis.call('HMGET', KEYS[1], 'd', 'x', 'i')
if not v[1] or tonumber(v[2]) <= tonumber(ARGV[1]) or v[3] ~= ARGV[2] then return false end
return v[1]`)
	scriptSpend = rueidis.NewLuaScript(`
local v = redis.call('HMGET', KEYS[1], 'd', 'x', 'i')
if not v[1] or tonumber(v[2]) <= tonumber(ARGV[1]) or v[3] ~= ARGV[2] then return false end
redis.call('DEL', KEYS[1])
return v[1]`)
	scriptLease = rueidis.NewLuaScript(`
local v = redis.call('HMGET', KEYS[1], 'd', 'x')
if v[1] and v[1] ~= ARGV[1] and tonumber(v[2]) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'd', ARGV[1], 'x', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`)
	scriptSweep = rueidis.NewLuaScript(`
local x = redis.call('HGET', KEYS[1], 'x')
if not x or tonumber(x) > tonumber(ARGV[1]) then return 0 end
return redis.call('DEL', KEYS[1])`)
	// Take: ARGV is the instant and the slack in ms, then interval and window of every key. Answers 0, or which was refused and how long to wait.
	scriptTake = rueidis.NewLuaScript(`
local at, tat, refused, longest = tonumber(ARGV[1]), {}, 0, 0
for i, key in ipairs(KEYS) do
  local interval, window = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local t = tat[key] or tonumber(redis.call('GET', key) or '0')
  if t < at then t = at end
  t = t + interval
  local early = t - at - window
  if early <= 0 then
    tat[key] = t
  elseif early > longest then
    longest, refused = early, i
  end
end
if refused == 0 then
  for key, t in pairs(tat) do
    redis.call('SET', key, string.format('%.0f', t), 'PX', string.format('%.0f', math.ceil((t - at) / 1000) + tonumber(ARGV[2])))
  end
end
return {refused, longest}`)
	scriptGiveBack = rueidis.NewLuaScript(`
for i, key in ipairs(KEYS) do
  local t = redis.call('GET', key)
  if t then redis.call('SET', key, string.format('%.0f', tonumber(t) - tonumber(ARGV[i])), 'KEEPTTL') end
end
return 1`)
)

func microText(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// ttl is the upper bound that Redis keeps a key of this life.
func ttl(life time.Duration) string {
	return strconv.FormatInt(max(life+slack, time.Millisecond).Milliseconds(), 10)
}

// Put implements Values.
func (r *Redis) Put(ctx context.Context, key string, value []byte, at time.Time, life time.Duration) error {
	return r.call(ctx, verbPut, func(ctx context.Context, c rueidis.Client, incarnation string) error {
		args := []string{rueidis.BinaryString(value), microText(at.Add(life)), ttl(life), incarnation}
		return scriptPut.Exec(ctx, c, []string{redisValue + key}, args).Error()
	})
}

// Get implements Values.
func (r *Redis) Get(ctx context.Context, key string, at time.Time) ([]byte, error) {
	return r.value(ctx, verbGet, scriptGet, key, at)
}

// Spend implements Values. When the answer is lost the value is gone for everybody: rather a code that nobody can use than one that two can.
func (r *Redis) Spend(ctx context.Context, key string, at time.Time) ([]byte, error) {
	return r.value(ctx, verbSpend, scriptSpend, key, at)
}

func (r *Redis) value(ctx context.Context, v verb, script *rueidis.Lua, key string, at time.Time) (value []byte, err error) {
	err = r.call(ctx, v, func(ctx context.Context, c rueidis.Client, incarnation string) error {
		text, err := script.Exec(ctx, c, []string{redisValue + key}, []string{microText(at), incarnation}).ToString()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		value = append(make([]byte, 0, len(text)), text...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Swap implements Values.
func (r *Redis) Swap(ctx context.Context, key string, old, new []byte, at time.Time) (bool, error) {
	return r.yes(ctx, verbSwap, func(ctx context.Context, c rueidis.Client, incarnation string) (int64, error) {
		args := []string{rueidis.BinaryString(old), rueidis.BinaryString(new), microText(at), incarnation}
		return scriptSwap.Exec(ctx, c, []string{redisValue + key}, args).AsInt64()
	})
}

// Lease implements Values.
func (r *Redis) Lease(ctx context.Context, key, owner string, at time.Time, life time.Duration) (bool, error) {
	return r.yes(ctx, verbLease, func(ctx context.Context, c rueidis.Client, _ string) (int64, error) {
		args := []string{owner, microText(at), microText(at.Add(life)), ttl(life)}
		return scriptLease.Exec(ctx, c, []string{redisLease + key}, args).AsInt64()
	})
}

func (r *Redis) yes(ctx context.Context, v verb, do func(context.Context, rueidis.Client, string) (int64, error)) (bool, error) {
	var n int64
	err := r.call(ctx, v, func(ctx context.Context, c rueidis.Client, incarnation string) (err error) {
		n, err = do(ctx, c, incarnation)
		return err
	})
	return n == 1 && err == nil, err
}

// Sweep implements Values. Redis drops what expired by itself; this walks over every key of ours and is not for a schedule.
func (r *Redis) Sweep(ctx context.Context, at time.Time) (n int, err error) {
	err = r.call(ctx, verbSweep, func(ctx context.Context, c rueidis.Client, _ string) error {
		for _, node := range c.Nodes() {
			for _, prefix := range []string{redisValue, redisLease} {
				swept, err := sweepNode(ctx, c, node, prefix, at)
				n += swept
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return n, err
}

func sweepNode(ctx context.Context, c, node rueidis.Client, prefix string, at time.Time) (n int, err error) {
	var cursor uint64
	for {
		page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(prefix+"*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return n, err
		}
		for _, key := range page.Elements {
			gone, err := scriptSweep.Exec(ctx, c, []string{key}, []string{microText(at)}).AsInt64()
			if err != nil {
				return n, err
			}
			n += int(gone)
		}
		if cursor = page.Cursor; cursor == 0 {
			return n, nil
		}
	}
}

// counting are the charges that count.
func counting(charges []Charge) []Charge {
	out := make([]Charge, 0, len(charges))
	for _, c := range charges {
		if !c.Limit.Off() {
			out = append(out, c)
		}
	}
	return out
}

func limitKeys(charges []Charge) []string {
	keys := make([]string, len(charges))
	for i, c := range charges {
		keys[i] = redisLimit + c.Name + "|" + c.Key
	}
	return keys
}

// Take implements Limiter.
func (r *Redis) Take(ctx context.Context, charges []Charge, at time.Time) (Verdict, error) {
	cs := counting(charges)
	if len(cs) == 0 {
		return Verdict{}, nil
	}
	args := []string{microText(at), strconv.FormatInt(slack.Milliseconds(), 10)}
	for _, c := range cs {
		args = append(args, strconv.FormatInt(c.Limit.Interval().Microseconds(), 10), strconv.FormatInt(c.Limit.Window.Microseconds(), 10))
	}
	var answer []int64
	err := r.call(ctx, verbTake, func(ctx context.Context, c rueidis.Client, _ string) (err error) {
		answer, err = scriptTake.Exec(ctx, c, limitKeys(cs), args).AsIntSlice()
		return err
	})
	if err != nil || len(answer) != 2 || answer[0] == 0 {
		return Verdict{}, err
	}
	return Verdict{Refused: cs[answer[0]-1].Name, RetryAfter: time.Duration(answer[1]) * time.Microsecond}, nil
}

// GiveBack implements Limiter.
func (r *Redis) GiveBack(ctx context.Context, charges []Charge, _ time.Time) error {
	cs := counting(charges)
	if len(cs) == 0 {
		return nil
	}
	args := make([]string, len(cs))
	for i, c := range cs {
		args[i] = strconv.FormatInt(c.Limit.Interval().Microseconds(), 10)
	}
	return r.call(ctx, verbGiveBack, func(ctx context.Context, c rueidis.Client, _ string) error {
		return scriptGiveBack.Exec(ctx, c, limitKeys(cs), args).Error()
	})
}

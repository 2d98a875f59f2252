package resource

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	retryFirst  = 100 * time.Millisecond
	retryMost   = 2 * time.Second
	forgetEvery = 30 * time.Second
	watchEvery  = 250 * time.Millisecond
)

// Run follows until ctx ends and gives its error. Only one Run works at a time.
func (f *Feed) Run(ctx context.Context) error {
	if !f.running.CompareAndSwap(false, true) {
		return errors.New("resource: the feed is followed already")
	}
	defer f.running.Store(false)
	var watch sync.WaitGroup
	watch.Go(func() { f.watch(ctx) })
	defer watch.Wait()
	for failures := 0; ctx.Err() == nil; failures++ {
		whole, err := f.follow(ctx)
		if ctx.Err() != nil {
			break
		}
		if whole {
			failures = 0
		}
		f.stats.reconnects.Add(1)
		if failures%60 == 0 && err != nil {
			f.cfg.Log.WarnContext(ctx, "the revocation feed broke off; coming back", "issuer", f.cfg.Issuer, "error", err.Error())
		}
		sleep(ctx, jitter(failures))
	}
	return ctx.Err()
}

// jitter spreads those who were cut off together.
func jitter(failures int) time.Duration {
	most := min(retryFirst<<min(failures, 10), retryMost)
	return most/10 + rand.N(most) //nolint:gosec // spreads retries; nothing is secret in it
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// watch tells of losses and forgets what is over.
func (f *Feed) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	began, was, swept := time.Now(), false, time.Now()
	for told := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch is := f.live(); {
		case is && !was:
			f.cfg.Log.InfoContext(ctx, "revocations are followed", "issuer", f.cfg.Issuer)
			was, told = true, false
		case !is && was:
			f.stats.losses.Add(1)
			was, told = false, true
			f.cfg.Log.ErrorContext(ctx, "the revocation feed is lost", "issuer", f.cfg.Issuer, "mode", f.cfg.Lost.String())
		case !is && !told && time.Since(began) >= lostAfter:
			told = true
			f.cfg.Log.ErrorContext(ctx, "the revocation feed does not come", "issuer", f.cfg.Issuer, "mode", f.cfg.Lost.String())
		}
		if time.Since(swept) >= forgetEvery {
			swept = time.Now()
			f.sweep.Lock()
			f.set.Load().forget(f.cfg.Now())
			f.sweep.Unlock()
		}
	}
}

// follow holds one connection until it breaks, and reports whether it was whole at some moment.
func (f *Feed) follow(ctx context.Context) (whole bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A connection that is dead without saying so is left: the issuer says something each second.
	quiet := time.AfterFunc(lostAfter, cancel)
	defer quiet.Stop()
	body, err := f.connect(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }()
	in := &intake{feed: f, at: f.place}
	r := bufio.NewReaderSize(body, 16<<10)
	for {
		raw, err := nextEvent(r)
		if err != nil {
			return whole, err
		}
		quiet.Reset(lostAfter)
		now, err := f.news(ctx, in, raw)
		if err != nil {
			return whole, err
		}
		whole = whole || now
	}
}

// news takes one event in.
func (f *Feed) news(ctx context.Context, in *intake, raw string) (whole bool, err error) {
	b, err := f.open(ctx, raw)
	if err != nil {
		return false, err
	}
	lag := in.lag(b)
	f.sweep.Lock()
	whole, err = in.take(b)
	f.sweep.Unlock()
	if err != nil {
		return false, err
	}
	f.stats.batches.Add(1)
	if !whole {
		return false, nil
	}
	if lag >= lostAfter {
		return false, errDelayed
	}
	f.deadline.Store(int64(time.Since(f.base) + lostAfter - lag))
	f.first.Do(func() { close(f.ready) })
	return true, nil
}

func (f *Feed) connect(ctx context.Context) (io.ReadCloser, error) {
	u, err := url.Parse(f.cfg.URL)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	if f.place.stream != "" {
		q.Set("stream", f.place.stream)
		q.Set("after", strconv.FormatInt(f.place.last, 10))
	}
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set(keyHeader, f.cfg.APIKey())
	client := *f.cfg.HTTP
	client.Timeout = 0
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	if media := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || !strings.HasPrefix(media, "text/event-stream") {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("the feed answered %d %s", answer.StatusCode, media)
	}
	return answer.Body, nil
}

// keyHeader carries the internal key.
const keyHeader = "X-Internal-Api-Key"

// errEnd is a feed that says goodbye: the server stops, or begins anew.
var errEnd = errors.New("the server ended the feed")

// nextEvent reads the data of the next event of a stream of server-sent events.
func nextEvent(r *bufio.Reader) (string, error) {
	var data strings.Builder
	end := false
	for {
		line, err := readLine(r)
		if err != nil {
			return "", err
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && end:
			return "", errEnd
		case line == "" && data.Len() > 0:
			return data.String(), nil
		case name == "event":
			end = value == "end"
		case name == "data":
			if data.Len()+len(value) > maxBatch {
				return "", errBatch
			}
			data.WriteString(value)
		}
	}
}

func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
		if len(line) > maxBatch+64 {
			return "", errBatch
		}
	}
}

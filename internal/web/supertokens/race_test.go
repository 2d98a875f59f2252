package supertokens_test

import (
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
)

const callers = race.Callers

// raceOneParent: many refreshes of one token give one child; when that was used the parent is stolen, and of many who show it one ends it.
func raceOneParent(t *testing.T, w *world) {
	s := w.open(t, "race")
	got := make([]object, callers)
	race.Together(callers, func(i int) { got[i] = w.refresh(t, s.refresh) })
	child := sessionOf(t, status(t, got[0], "OK"))
	for _, r := range got {
		if o := sessionOf(t, status(t, r, "OK")); o.refresh != child.refresh || o.handle != s.handle {
			t.Fatal("two children of one parent")
		}
	}
	race.Together(callers, func(i int) { got[i] = w.verify(t, sessionOf(t, got[i]).access, false) })
	for _, r := range got {
		text(t, status(t, r, "OK"), "accessToken", "token")
	}
	race.Together(callers, func(i int) { got[i] = w.refresh(t, s.refresh) })
	thefts := 0
	for _, r := range got {
		if r["status"] == "TOKEN_THEFT_DETECTED" {
			thefts++
		} else {
			status(t, r, "UNAUTHORISED")
		}
	}
	if thefts == 0 || w.revocations(t, s.handle) != 1 {
		t.Errorf("%d thefts, %d revocations", thefts, w.revocations(t, s.handle))
	}
	status(t, w.refresh(t, child.refresh), "UNAUTHORISED")
}

// raceVerifyRefresh: the first use of a child by its access token and by its refresh token at once confirms it once; nobody is refused.
func raceVerifyRefresh(t *testing.T, w *world) {
	s := w.open(t, "race verify")
	child := sessionOf(t, w.refresh(t, s.refresh))
	got := make([]object, callers)
	race.Together(callers, func(i int) {
		if i%2 == 0 {
			got[i] = w.verify(t, child.access, true)
		} else {
			got[i] = w.refresh(t, child.refresh)
		}
	})
	next := ""
	for i, r := range got {
		status(t, r, "OK")
		if i%2 == 0 {
			continue
		}
		o := sessionOf(t, r)
		if next == "" {
			next = o.refresh
		}
		if o.refresh != next {
			t.Fatal("two children of one parent")
		}
	}
	status(t, w.refresh(t, next), "OK")
	status(t, w.refresh(t, s.refresh), "TOKEN_THEFT_DETECTED")
}

// raceRefreshRemove: whatever a refresh hands out beside a removal, nothing of it works when the removal was answered.
func raceRefreshRemove(t *testing.T, w *world) {
	s := w.open(t, "race remove")
	got := make([]object, callers)
	ended := 0
	var mu sync.Mutex
	race.Together(callers, func(i int) {
		if i%8 == 0 {
			n := len(listed(t, w.asked(t, "POST", "/recipe/session/remove", object{"sessionHandles": []string{s.handle}}), "sessionHandlesRevoked"))
			mu.Lock()
			ended += n
			mu.Unlock()
			got[i] = w.refresh(t, s.refresh)
			if got[i]["status"] != "UNAUTHORISED" {
				t.Errorf("after the removal: %v", got[i]["status"])
			}
			return
		}
		got[i] = w.refresh(t, s.refresh)
	})
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
	for _, r := range got {
		if r["status"] != "OK" {
			status(t, r, "UNAUTHORISED")
			continue
		}
		o := sessionOf(t, r)
		status(t, w.refresh(t, o.refresh), "UNAUTHORISED")
		status(t, w.verify(t, o.access, false), "UNAUTHORISED")
	}
}

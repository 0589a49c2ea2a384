package expiring_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/expiring"
)

// began is a time with a monotonic reading.
var began = time.Now()

// at is so many seconds after began.
func at(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

func TestAnEntryLivesForItsTime(t *testing.T) {
	m := expiring.Map[string, int]{Limit: 10}
	require.Zero(t, m.Put("a", 1, 1, at(0), 10*time.Second))
	for name, row := range map[string]struct {
		now   time.Time
		found bool
	}{
		"at once":         {at(0), true},
		"just before":     {at(10).Add(-1), true},
		"when it is over": {at(10), false},
		"much later":      {at(1000), false},
	} {
		t.Run(name, func(t *testing.T) {
			value, found := m.Get("a", row.now)
			require.Equal(t, row.found, found)
			require.Equal(t, found, value == 1)
		})
	}
}

func TestALifeWithoutEndDoesNotOverflow(t *testing.T) {
	m := expiring.Map[string, int]{Limit: 10}
	m.Put("a", 1, 1, at(0), math.MaxInt64)
	_, found := m.Get("a", at(1_000_000_000))
	require.True(t, found)
	m.Put("b", 1, 1, at(0), math.MinInt64)
	_, found = m.Get("b", at(0))
	require.False(t, found)
}

func TestTheZeroMapHoldsNothing(t *testing.T) {
	var m expiring.Map[string, int]
	require.False(t, m.Fits("a", 1, at(0)))
	require.Equal(t, 1, m.Put("a", 1, 1, at(0), time.Hour))
	_, found := m.Get("a", at(0))
	require.False(t, found)
	m.Delete("a")
	require.Zero(t, m.Len())
}

func TestWhatEndsFirstGivesWay(t *testing.T) {
	m := expiring.Map[int, int]{Limit: 100}
	for i := range 100 {
		require.Zero(t, m.Put(i, i, 1, at(0), time.Duration(1+i*37%100)*time.Second))
	}
	require.False(t, m.Fits(100, 1, at(0)))
	require.True(t, m.Fits(7, 1, at(0)), "in the place of what is there")
	require.Equal(t, 3, m.Put(100, 100, 3, at(0), time.Second), "also when it ends first itself")
	for i := range 100 {
		_, found := m.Get(i, at(0))
		require.Equal(t, 1+i*37%100 > 3, found, i)
	}
	require.True(t, m.Fits(101, 3, at(6)), "what has ended takes no room")
	require.Zero(t, m.Put(101, 101, 3, at(6), time.Second), "and is not shed")
}

func TestWhatIsLargerThanTheLimitMovesNothing(t *testing.T) {
	m := expiring.Map[string, int]{Limit: 10}
	m.Put("a", 1, 5, at(0), time.Hour)
	m.Put("b", 1, 5, at(0), time.Hour)
	require.Equal(t, 1, m.Put("b", 2, 11, at(0), time.Hour))
	_, found := m.Get("a", at(0))
	require.True(t, found)
	_, found = m.Get("b", at(0))
	require.False(t, found, "the older value must not stay in its place")
	require.Equal(t, 5, m.Size())
}

// A model of a few lines: a plain map, of which all that has ended goes at once, and then what ends first.
type model struct {
	limit int
	m     map[int]held
}

type held struct {
	value, size int
	until       time.Time
}

func (m *model) size(now time.Time) (size int) {
	for key, h := range m.m {
		if !now.Before(h.until) {
			delete(m.m, key)
			continue
		}
		size += h.size
	}
	return size
}

func (m *model) put(key int, h held, now time.Time) (shed int) {
	delete(m.m, key)
	if h.size > m.limit {
		return 1
	}
	for ; m.size(now)+h.size > m.limit; shed++ {
		first := -1
		for key, other := range m.m {
			if first < 0 || other.until.Before(m.m[first].until) {
				first = key
			}
		}
		delete(m.m, first)
	}
	m.m[key] = h
	return shed
}

func TestAMapDoesWhatAModelDoes(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, seed)) // a repeatable history
			limit := 1 + random.IntN(60)
			m, want := expiring.Map[int, int]{Limit: limit}, model{limit, map[int]held{}}
			now := began
			for step := range 2_000 {
				now = now.Add(time.Duration(random.IntN(100)) * time.Millisecond)
				key := random.IntN(80)
				switch random.IntN(4) {
				case 0, 1:
					// Lives differ by the nanosecond, so that the order of ends is one.
					life := time.Duration(random.IntN(5_000))*time.Millisecond + time.Duration(step)
					h := held{step, 1 + random.IntN(4), now.Add(life)}
					fits := m.Fits(key, h.size, now)
					shed := want.put(key, h, now)
					require.Equal(t, shed, m.Put(key, h.value, h.size, now, life))
					require.Equal(t, shed == 0, fits)
				case 2:
					m.Delete(key)
					delete(want.m, key)
				}
				value, found := m.Get(key, now)
				h, known := want.m[key]
				known = known && now.Before(h.until)
				require.Equal(t, known, found)
				require.True(t, !found || value == h.value)
				require.LessOrEqual(t, m.Size(), limit)
			}
		})
	}
}

// come lets n entries of an owner's map come and go.
func come(m *expiring.Map[string, int], n int, now time.Time) {
	for i := range n {
		m.Put(fmt.Sprint("gone ", i), i, 1, now, time.Minute)
	}
}

// write is the nanoseconds that one of many writes takes, the best of a few rounds: others may use the machine.
func write(m *expiring.Map[string, int], keys []string, now time.Time) time.Duration {
	best := time.Duration(math.MaxInt64)
	for range 5 {
		began := time.Now()
		for i, key := range keys {
			m.Put(key, i, 1, now, time.Minute)
		}
		best = min(best, time.Since(began)/time.Duration(len(keys)))
	}
	return best
}

func keys() (keys []string) {
	for i := range 2_000 {
		keys = append(keys, fmt.Sprint("new ", i))
	}
	return keys
}

func TestAMapThatWasLargeIsAsQuickAsANewOne(t *testing.T) {
	m, fresh := &expiring.Map[string, int]{Limit: 1 << 30}, &expiring.Map[string, int]{Limit: 1 << 30}
	come(m, 300_000, at(0))
	for i := 0; m.Len() > 1; i++ { // writes drop the rest, each a little
		m.Put("one", i, 1, at(3600), time.Hour)
		require.Less(t, i, 300_000/7)
	}
	was, is := write(fresh, keys(), at(3700)), write(m, keys(), at(3700))
	require.Less(t, is, 20*was, "a write takes %s after 300,000 entries have gone, %s in a fresh map", is, was)
}

// No single call pays for all that have ended.
func TestAPutDropsFewOfVeryMany(t *testing.T) {
	m := &expiring.Map[string, int]{Limit: 1 << 30}
	come(m, 10_000, at(0))
	m.Put("one", 1, 1, at(60), time.Hour)
	require.InDelta(t, 10_000, m.Len(), 100)
	for i := range 2_000 {
		m.Put("one", i, 1, at(60), time.Hour)
	}
	require.Equal(t, 1, m.Len(), "what has ended never outweighs what lives for long")
}

// BenchmarkPut compares a fresh map with one that 1,000,000 entries have come to and gone from, and one that holds as many.
func BenchmarkPut(b *testing.B) {
	for _, row := range []struct {
		name string
		past int
		now  time.Time
	}{{"fresh", 0, at(3600)}, {"after a million", 1_000_000, at(3600)}, {"beside a million", 1_000_000, at(1)}} {
		b.Run(row.name, func(b *testing.B) {
			m, all := &expiring.Map[string, int]{Limit: 1 << 30}, keys()
			come(m, row.past, at(0))
			for range row.past / 4 {
				m.Put("one", 1, 1, row.now, time.Hour)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.Put(all[i%len(all)], i, 1, row.now, time.Minute)
			}
		})
	}
}

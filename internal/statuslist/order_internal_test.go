package statuslist

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func testOrder(t testing.TB, secret, list string) order {
	t.Helper()
	p, err := NewPlaces(nil, []byte(secret))
	require.NoError(t, err)
	o, err := newOrder(p.key, list)
	require.NoError(t, err)
	return o
}

// Two ordinals with one index would be two sessions with one status.
func TestOrderIsABijection(t *testing.T) {
	o, seen := testOrder(t, "secret", "list"), newBits()
	for ordinal := range Size {
		index := o.index(ordinal)
		if !seen.set(index) {
			t.Fatalf("ordinal %d: index %d is outside or taken", ordinal, index)
		}
	}
}

func TestOrderLooksRandom(t *testing.T) {
	o := testOrder(t, "secret", "list")
	const n = 10_000
	ascending, fixed := 0, 0
	var low [halfMask + 1]bool // the half of the index that few rounds would leave as it is
	for ordinal := range n {
		if o.index(ordinal+1) > o.index(ordinal) {
			ascending++
		}
		if o.index(ordinal) == ordinal {
			fixed++
		}
		low[o.index(ordinal)&halfMask] = true
	}
	require.InDelta(t, n/2, ascending, n/20, "the order of sign-ins can be read from indexes")
	require.Less(t, fixed, 10)
	require.NotContains(t, low, false)
	top := 0
	for ordinal := range block { // one block's indexes lie everywhere in the list
		if o.index(ordinal) >= Size/2 {
			top++
		}
	}
	require.InDelta(t, block/2, top, block/5)
}

func TestOrderDiffersByListAndSecret(t *testing.T) {
	orders := []order{
		testOrder(t, "secret", "list"), testOrder(t, "secret", "lisu"),
		testOrder(t, "secreu", "list"), testOrder(t, "secret", ""),
	}
	for i, one := range orders {
		for _, other := range orders[:i] {
			same := 0
			for ordinal := range 1000 {
				if one.index(ordinal) == other.index(ordinal) {
					same++
				}
			}
			require.Less(t, same, 10)
		}
	}
}

// Sessions in the record stand at these places: another permutation would hand them out again.
func TestOrderStaysAsItIs(t *testing.T) {
	o := testOrder(t, "secret", "list")
	require.Equal(t, []int{603238, 327129, 567098}, []int{o.index(0), o.index(1), o.index(Size - 1)})
}

func BenchmarkIndex(b *testing.B) {
	o := testOrder(b, "secret", "list")
	for i := 0; b.Loop(); i++ {
		o.index(i % Size)
	}
}

package statuslist

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// inflate is what a verifier does with `lst`.
func inflate(t testing.TB, lst string) bits {
	t.Helper()
	compressed, err := base64.RawURLEncoding.Strict().DecodeString(lst)
	require.NoError(t, err)
	return unzip(t, compressed)
}

func unzip(t testing.TB, compressed []byte) bits {
	t.Helper()
	z, err := zlib.NewReader(bytes.NewReader(compressed))
	require.NoError(t, err)
	plain, err := io.ReadAll(z)
	require.NoError(t, err)
	return plain
}

// §4.1: sixteen statuses in two bytes, as an array, compressed, and as the lst of §4.2.
func TestShortVectorOfTheDraft(t *testing.T) {
	statuses := []int{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1}
	b := make(bits, 2)
	for i, status := range statuses {
		if status == 1 {
			require.True(t, b.set(i))
		}
	}
	require.Equal(t, bits{0xb9, 0xa3}, b)
	for i, status := range statuses {
		require.Equal(t, status == 1, b.get(i), i)
	}
	theirs, err := hex.DecodeString("78dadbb918000217015d")
	require.NoError(t, err)
	require.Equal(t, b, unzip(t, theirs))
	require.Equal(t, b, inflate(t, "eNrbuRgAAhcBXQ"))
	require.Equal(t, b, inflate(t, newEncoder().encode(b)))
}

// Appendix "Test vectors for Status List encoding", 1-bit Status List.
func TestLongVectorOfTheDraft(t *testing.T) {
	const theirs = "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogE" +
		"AAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
		"AAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAA" +
		"A7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAA" +
		"ACAZC8L2AEb"
	ours := newBits()
	set := []int{0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345}
	for _, i := range set {
		require.True(t, ours.set(i))
	}
	decoded := inflate(t, theirs)
	require.True(t, bytes.Equal(ours, decoded), "our bits are not those of the draft")
	require.True(t, bytes.Equal(ours, inflate(t, newEncoder().encode(ours))))
	var found []int
	for i := range Size {
		if decoded.get(i) {
			found = append(found, i)
		}
	}
	require.Equal(t, set, found)
}

func TestBitsOutOfRange(t *testing.T) {
	b := newBits()
	for _, i := range []int{-1, -8, Size, Size + 7, 1 << 40, -1 << 40} {
		require.False(t, b.set(i), i)
		require.False(t, b.get(i), i)
	}
	require.True(t, bytes.Equal(newBits(), b), "an index outside the list set a bit in it")
	require.True(t, b.set(0))
	require.True(t, b.set(Size-1))
	require.False(t, b.set(Size-1), "no news the second time")
	require.True(t, b.get(Size-1))
}

// Replicas have encoded different things before; that must not be seen in what comes next.
func TestEncodingDependsOnTheBitsAlone(t *testing.T) {
	used := newEncoder()
	for _, n := range []int{0, 1, 500, 30_000, Size / 2} {
		b := random(n)
		want := newEncoder().encode(b)
		require.Equal(t, want, used.encode(b), n)
		require.Equal(t, want, used.encode(b), n)
	}
}

func TestEncodedSizes(t *testing.T) {
	for _, tc := range []struct{ set, least, most int }{
		{0, 100, 210}, {1_000, 2_000, 4_000}, {10_000, 18_000, 21_000}, {100_000, 85_000, 92_000}, {Size / 2, 130_000, 176_000},
	} {
		size := len(newEncoder().encode(random(tc.set)))
		require.True(t, tc.least <= size && size <= tc.most, "%d set: %d characters", tc.set, size)
	}
}

// FuzzBits reads its input as indexes: whatever was set is what a verifier reads, and nothing else.
func FuzzBits(f *testing.F) {
	f.Add([]byte{}, uint16(2))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 8}, uint16(2))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 7, 0xff, 0xff}, uint16(65535))
	f.Fuzz(func(t *testing.T, input []byte, size uint16) {
		b := make(bits, size)
		set := map[int]bool{}
		for ; len(input) >= 4; input = input[4:] {
			i := int(int32(binary.BigEndian.Uint32(input)))
			news := i >= 0 && i < 8*int(size) && !set[i]
			require.Equal(t, news, b.set(i), i)
			if news {
				set[i] = true
			}
			require.Equal(t, set[i], b.get(i), i)
		}
		decoded := inflate(t, newEncoder().encode(b))
		require.Len(t, decoded, int(size))
		for i := range 8 * int(size) {
			if want := set[i]; want != b.get(i) || want != decoded.get(i) || want != (decoded[i>>3]&(1<<(i&7)) != 0) {
				t.Fatalf("status %d: set %v, ours %v, decoded %v", i, want, b.get(i), decoded.get(i))
			}
		}
	})
}

// random returns a list with n places revoked, always the same ones.
func random(n int) bits {
	b, r := newBits(), rand.New(rand.NewPCG(1, 2))
	for n > 0 {
		if b.set(r.IntN(Size)) {
			n--
		}
	}
	return b
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{0, 1_000, 10_000, 50_000, 100_000} {
		b.Run(fmt.Sprintf("set=%d", n), func(b *testing.B) {
			list, e, size := random(n), newEncoder(), 0
			b.ReportAllocs()
			for b.Loop() {
				size = len(e.encode(list))
			}
			b.ReportMetric(float64(size)*3/4, "zlib-bytes")
		})
	}
}

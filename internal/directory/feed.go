package directory

// Mode says what it means that a person is missing from a feed.
type Mode string

const (
	// Full is a feed of a source's whole staff: who is missing has left.
	Full Mode = "full"
	// Delta is a feed of some people: nobody leaves by being missing.
	Delta Mode = "delta"
)

// Feed is one delivery of a source, already read.
type Feed struct {
	Source string
	Mode   Mode
	// People are unique by ExternalID.
	People []Person
	// Problems are the lines that could not be read, or not whole.
	Problems []Problem
}

// Problem is something wrong with one line of a feed.
type Problem struct {
	// Line is 1-based, as a text editor counts, of the line on which the record begins.
	Line int
	// Column is the header of the cell, or empty when the whole line is at fault.
	Column string
	// Reason says what is wrong and what was expected. It never holds a whole phone number.
	Reason string
	// ExternalID is the person whom the line is about, if that much could be read.
	ExternalID string
	// Rejected means that the line was left out. Otherwise the person is in People, without the
	// part that is at fault: a bad phone number alone keeps the person, without a number.
	Rejected bool
}

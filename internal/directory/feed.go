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
	// Problems are the lines that could not be read, or not whole, in order of line.
	Problems []Problem
	// Silent are the fields that this delivery says nothing about: they stay as stored. A file
	// without a column for groups takes nobody out of their groups.
	Silent []Field
	// Ignored are the headers of columns that mean nothing to us, for the reader's information.
	Ignored []string
}

// Problem is something wrong with one line of a feed.
type Problem struct {
	// Line is 1-based, as a text editor counts, of the line on which the record begins, or the
	// quotation mark that spoils it.
	Line int
	// Column is the header of the cell, or empty when the whole line is at fault.
	Column string
	// Reason says what is wrong and what was expected. It never holds a whole phone number.
	Reason string
	// ExternalID is the one person whom the line can be about. It is empty if that much could not
	// be read, or if the line may hide more people than one.
	ExternalID string
	// Rejected means that the line was left out. Otherwise the person is in People, without the
	// part that is at fault: a bad phone number alone keeps the person, without a number.
	Rejected bool
}

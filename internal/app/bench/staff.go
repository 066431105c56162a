package main

import (
	"fmt"
	"strings"
)

// people is how many are on the staff list.
const people = 2000

// staff returns the numbers of the staff: those that Ofcom and NANPA keep for fiction, so that no
// mistake can ever text a person.
func staff() []string {
	numbers := make([]string, 0, people)
	for i := range people / 2 {
		numbers = append(numbers, fmt.Sprintf("+447700900%03d", i))
	}
	return append(numbers, fictional(people/2)...)
}

// maxFictional is how many numbers NANPA keeps for fiction: 555-0100 to 555-0199 in 799 area codes.
const maxFictional = 79_900

// fictional returns n of them, at most maxFictional.
func fictional(n int) []string {
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1%d55501%02d", 201+i/100, i%100)
	}
	return numbers
}

// staffList is the same as HR would send it.
func staffList(numbers []string) string {
	var list strings.Builder
	list.WriteString("external_id,name,phone,email,department,title,groups,employment_type,status\n")
	for i, number := range numbers {
		fmt.Fprintf(&list, "E%04[1]d,Person Number %[1]d,%[2]s,person%[1]d@example.com,Operations,Technician,first-aid,employee,active\n",
			i, number)
	}
	return list.String()
}

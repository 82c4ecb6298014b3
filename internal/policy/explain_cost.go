package policy

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// Cost is what one question costs one persona.
type Cost struct {
	Table    string `json:"table"`
	Persona  string `json:"persona"`
	Question string `json:"question"` // page, one or count
	SQL      string `json:"sql"`
	// Scoped says that a policy keeps rows from the persona. Where none does,
	// reading the whole table is what was asked for.
	Scoped bool `json:"scoped"`
	// Led says that every scan of a landlord's table begins with whose rows it
	// wants: the owner, a person, or what else only the caller can name.
	Led         bool            `json:"led"`
	Scans       []Scan          `json:"scans"`
	Sorts       bool            `json:"sorts"`
	Rows        int64           `json:"rows"`        // that the persona got
	Removed     int64           `json:"rowsRemoved"` // read and thrown away by a filter
	Buffers     int64           `json:"buffers"`     // pages of 8 KiB, with those that functions of the policies read
	Time        float64         `json:"timeMs"`
	Planning    float64         `json:"planningMs"`
	ExplainJSON json.RawMessage `json:"explain"`
}

// Scan is one way into one table.
type Scan struct {
	Type  string `json:"type"`
	Table string `json:"table,omitempty"`
	Index string `json:"index,omitempty"` // empty if the whole table is read
	Cond  string `json:"condition,omitempty"`
	Led   bool   `json:"led"`
}

// planNode is a part of what EXPLAIN answers.
type planNode struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Cond     string  `json:"Index Cond"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Recheck  float64 `json:"Rows Removed by Index Recheck"`
	Hit      int64   `json:"Shared Hit Blocks"`
	Read     int64   `json:"Shared Read Blocks"`
	Plans    []planNode
}

func newCost(q question, plan []byte, leads map[string]lead) (Cost, error) {
	var answer []struct {
		Plan     planNode
		Planning float64 `json:"Planning Time"`
		Time     float64 `json:"Execution Time"`
	}
	if err := json.Unmarshal(plan, &answer); err != nil || len(answer) != 1 {
		return Cost{}, fmt.Errorf("read the plan of %s: %w", q.SQL, err)
	}
	top := answer[0].Plan
	cost := Cost{
		Table: q.Table, Persona: q.Persona, Question: q.Name, SQL: q.SQL, Scoped: q.Scoped,
		Led: true, Scans: []Scan{}, Rows: int64(top.Rows), Buffers: top.Hit + top.Read,
		Time: answer[0].Time, Planning: answer[0].Planning, ExplainJSON: plan,
	}
	if q.Name == "count" {
		cost.Rows = 0
	}
	cost.add(top, leads)
	return cost, nil
}

// add adds what a node and those below it do.
func (c *Cost) add(n planNode, leads map[string]lead) {
	c.Removed += int64((n.Removed + n.Recheck) * max(n.Loops, 1))
	c.Sorts = c.Sorts || strings.HasSuffix(n.Type, "Sort")
	// the heap scan of a bitmap reads what the indexes below it say
	if n.Index != "" || n.Relation != "" && n.Type != "Bitmap Heap Scan" {
		s := Scan{Type: n.Type, Table: n.Relation, Index: n.Index, Cond: n.Cond, Led: leads[n.Index].leads(n.Cond)}
		c.Led = c.Led && s.Led
		c.Scans = append(c.Scans, s)
	}
	for _, below := range n.Plans {
		c.add(below, leads)
	}
}

// leads reports whether a condition of an index says whose rows it wants: it
// compares the index's first column, and that either says whose a row is or is
// compared with what a policy knows of the caller, which is a sub-select.
func (l lead) leads(condition string) bool {
	if l.First == "" {
		return false
	}
	compared := regexp.MustCompile(`\(` + regexp.QuoteMeta(l.First) + ` = (ANY )?\(*(.?)`).FindStringSubmatch(condition)
	return compared != nil && (l.Whose || compared[2] == "$" || compared[2] == "I") // $0, or (InitPlan 1).col1 since PostgreSQL 17
}

// indexes names what the scans read.
func (c Cost) indexes() string {
	var names []string
	for _, s := range c.Scans {
		name := s.Index
		if name == "" {
			name = "all of " + s.Table
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "nothing" // the planner saw that there is nobody
	}
	if c.Sorts {
		return strings.Join(names, " + ") + ", sorted"
	}
	return strings.Join(names, " + ")
}

// WriteJSON writes the costs with the whole plans.
func (c Costs) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(c)
}

// WriteText writes a line for each question, and a summary.
func (c Costs) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TABLE\tPERSONA\tQUESTION\tINDEX\tLED\tROWS\tREMOVED\tBUFFERS\tMS\tPLANNING MS")
	stray := 0
	for _, cost := range c.Costs {
		led := "yes"
		switch {
		case !cost.Scoped:
			led = "all rows"
		case !cost.Led:
			led = "NO"
			stray++
		}
		rows := fmt.Sprint(cost.Rows)
		if cost.Question == "count" {
			rows = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%.3f\t%.3f\n", strings.TrimPrefix(cost.Table, "app."),
			strings.TrimPrefix(cost.Persona, "rowhouse_"), cost.Question, cost.indexes(), led, rows, cost.Removed, cost.Buffers, cost.Time, cost.Planning)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d questions on PostgreSQL %s, %d landlords with %d rows of most tables each.\n"+
		"%d read rows of other landlords: no index leads with the owner or the person.\n",
		len(c.Costs), c.Server, c.Landlords, c.Rows, stray)
	return err
}

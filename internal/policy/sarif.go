package policy

import (
	"encoding/json"
	"io"
	"regexp"
	"strings"

	"rowhouse/policies"
)

// The part of SARIF 2.1.0 that code scanning reads.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifResult struct {
		RuleID              string             `json:"ruleId"`
		RuleIndex           int                `json:"ruleIndex"`
		Level               string             `json:"level"`
		Message             sarifText          `json:"message"`
		Locations           []sarifLocation    `json:"locations"`
		PartialFingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions        []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysical  `json:"physicalLocation"`
		LogicalLocations []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
)

// WriteSARIF writes the report as SARIF 2.1.0, for code scanning. What is found in
// the database is placed in the file of policies/ that is about it; exceptions are
// suppressed results. Version is the program's.
func (r Report) WriteSARIF(w io.Writer, version string) error {
	driver := sarifDriver{Name: "rowhouse policy lint", Version: version, Rules: []sarifRule{}}
	results := []sarifResult{}
	add := func(id, object, level, why, message string) *sarifResult {
		rule := -1
		for i, known := range driver.Rules {
			if known.ID == id {
				rule = i
			}
		}
		if rule < 0 {
			rule = len(driver.Rules)
			driver.Rules = append(driver.Rules, sarifRule{id, sarifText{why}})
		}
		results = append(results, sarifResult{
			RuleID: id, RuleIndex: rule, Level: level, Message: sarifText{message},
			Locations: []sarifLocation{{
				PhysicalLocation: sarifPhysical{sarifArtifact{sourceOf(object)}, sarifRegion{1}},
				LogicalLocations: []sarifLogical{{object}},
			}},
			PartialFingerprints: map[string]string{"finding/v1": id + " " + object},
		})
		return &results[len(results)-1]
	}
	for _, f := range r.Findings {
		level := f.Severity
		if level == Info {
			level = "note"
		}
		add(f.ID, f.Object, level, f.Why, f.Object+": "+f.Why+"\n\n"+f.Remedy)
	}
	for _, e := range r.Exceptions {
		result := add(e.ID, e.Object, "note", e.Reason, e.Object+": "+e.Reason)
		result.Suppressions = []sarifSuppression{{"external", e.Reason}}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{sarifTool{driver}, results}},
	})
}

var relationOrFile = regexp.MustCompile(`\bapp(?:_private)?\.(\w+)|^policies/([\w.]+)`)

// sourceOf is the file of policies/ that is about an object.
func sourceOf(object string) string {
	m := relationOrFile.FindStringSubmatch(object)
	switch {
	case m == nil:
		return "policies/cluster.sql"
	case m[2] != "":
		return "policies/" + m[2]
	}
	for _, file := range policies.Files() {
		if file.Name == m[1]+".sql" || strings.Contains(file.SQL, "function app."+m[1]+"(") {
			return "policies/" + file.Name
		}
	}
	return "policies/README.md"
}

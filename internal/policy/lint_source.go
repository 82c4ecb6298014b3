package policy

import (
	"fmt"
	"regexp"
	"strings"

	"rowhouse/policies"
)

var (
	comment      = regexp.MustCompile(`--[^\n]*`)
	createPolicy = regexp.MustCompile(`(?s)\bcreate policy ("[^"]+"|\w+) on (?:\w+\.)?(\w+)([^;]*)`)
	beforeCheck  = regexp.MustCompile(`(?s)^(.*?)(?:\busing\b|\bwith check\b|$)`)
	forCommand   = regexp.MustCompile(`\bfor (\w+)`)
	toRoles      = regexp.MustCompile(`\bto ([\w", ]+)`)
)

// lintSources checks how the files of policies/ are written: every policy in the
// file of its table, for one persona, and named after what it is.
func lintSources(files []policies.File) (found []Finding) {
	for _, file := range files {
		for _, m := range createPolicy.FindAllStringSubmatch(comment.ReplaceAllString(file.SQL, ""), -1) {
			name, table, options := m[1], m[2], beforeCheck.FindStringSubmatch(m[3])[1]
			object := fmt.Sprintf("policies/%s: %s", file.Name, name)
			if file.Name != table+".sql" {
				found = append(found, Finding{
					"RH111", Warning, object, "Who asks who may do what with a table reads one file.",
					fmt.Sprintf("-- move it to policies/%s.sql", table),
				})
			}
			to := toRoles.FindStringSubmatch(options)
			if to == nil {
				found = append(found, Finding{
					"RH112", Error, object, "A policy that names no role is one for PUBLIC.",
					fmt.Sprintf("-- write: create policy %s on … to rowhouse_…", name),
				})
				continue
			}
			if want := policyName(table, options, strings.TrimSpace(to[1])); name != want {
				found = append(found, Finding{
					"RH113", Warning, object, "The name does not say for whom and what the policy is: <persona>_<verb>_<table>, for one persona.",
					fmt.Sprintf("-- call it %s", want),
				})
			}
		}
	}
	return found
}

func policyName(table, options, roles string) string {
	verb := "all"
	if m := forCommand.FindStringSubmatch(options); m != nil {
		verb = m[1]
	}
	persona := strings.TrimPrefix(roles, "rowhouse_")
	if strings.Contains(options, "as restrictive") && roles == "public" {
		persona = "boundary"
	}
	return persona + "_" + verb + "_" + table
}

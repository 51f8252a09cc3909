# Nobody deletes data by a pull request.
package lagoa

deny contains verdict if {
	some danger in input.dangers
	danger.fate == "lost"
	verdict := {
		"msg": sprintf("%s would lose its data: %s", [danger.key, danger.data]),
		"resource": danger.key,
		"severity": "critical",
	}
}

warn contains verdict if {
	some danger in input.dangers
	danger.fate == "snapshot"
	verdict := {"msg": sprintf("%s is kept in a snapshot only", [danger.key]), "resource": danger.key}
}

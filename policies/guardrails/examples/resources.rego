# Words for the other files.
package lagoa_resources

made contains resource if {
	some resource in input.resources
	resource.action in {"create", "replace"}
}

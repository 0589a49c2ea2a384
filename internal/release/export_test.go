package main

// Doors for the tests.
var (
	FindModules       = findModules
	InOrder           = inOrder
	CheckRequirements = checkRequirements
	Notes             = notes
	Pack              = pack
	Get               = get
)

type Module = module

// At returns a module in a folder that requires others.
func At(path, folder string, require map[string]string) Module {
	return module{Path: path, folder: folder, require: require}
}

func (m module) Folder() string            { return m.folder }
func (m module) Tag(version string) string { return m.tag(version) }

func FilesOf(root string, m Module) (names []string, err error) {
	files, err := filesOf(root, m)
	for _, f := range files {
		names = append(names, f.to)
	}
	return names, err
}

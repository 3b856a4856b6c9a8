# docs: the manual page, the guide, the design
EXTRA_DIST += docs/threat-model.md \
	docs/design/architecture.md docs/design/layers.md \
	docs/guide/index.md docs/guide/operating.md docs/guide/quickstart.md
dist_man_MANS += docs/man/yett.1

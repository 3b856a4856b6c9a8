# docs: the manual page, the guide, the design
dist_man_MANS += docs/man/yett.1
nobase_dist_doc_DATA = \
	docs/threat-model.md \
	docs/design/architecture.md \
	docs/design/balancing.md \
	docs/design/benchmarks.md \
	docs/design/cache-suite.md \
	docs/design/cache.md \
	docs/design/filters.md \
	docs/design/layers.md \
	docs/design/ratelimit.md \
	docs/design/redis.md \
	docs/guide/access.md \
	docs/guide/audit.md \
	docs/guide/bans.md \
	docs/guide/caching.md \
	docs/guide/compression.md \
	docs/guide/configuration.md \
	docs/guide/error-pages.md \
	docs/guide/geo.md \
	docs/guide/headers.md \
	docs/guide/health.md \
	docs/guide/http.md \
	docs/guide/identity.md \
	docs/guide/index.md \
	docs/guide/limits.md \
	docs/guide/names.md \
	docs/guide/operating.md \
	docs/guide/pools.md \
	docs/guide/quickstart.md \
	docs/guide/tls.md \
	docs/guide/waf.md

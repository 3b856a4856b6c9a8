bin_PROGRAMS += yett
yett_SOURCES = gateway/main.c
# The shim over libmodsecurity is C++: link with the C++ driver.
nodist_EXTRA_yett_SOURCES = dummy.cxx
yett_LDADD = $(YETT_ARCHIVES) $(ALLOCATOR_LIBS) $(YETT_LIBS)

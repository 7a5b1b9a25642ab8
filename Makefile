# Thin: finds a JDK >= 25 by itself, and leaves the rest to Maven.
.PHONY: help which-java build run test verify model bench load jcstress bindings native clean

# JAVA_HOME if it is new enough, then what PATH and the usual places have; the first JDK >= 25 wins.
JDK := $(shell for d in "$$JAVA_HOME" "$$(dirname "$$(dirname "$$(readlink -f "$$(command -v javac || echo /)")")")" \
	/usr/lib/jvm/* /usr/java/* /opt/java/* /opt/*jdk* "$$HOME"/.sdkman/candidates/java/* "$$HOME"/.jdks/* \
	/Library/Java/JavaVirtualMachines/*/Contents/Home; do \
	v=$$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$$d/release" 2>/dev/null); \
	if [ "$${v:-0}" -ge 25 ] && [ -x "$$d/bin/javac" ]; then echo "$$d"; break; fi; done)
NO_JDK := Labyrinth needs a JDK >= 25 and found none: install one (Debian, Ubuntu: temurin-25-jdk or openjdk-25-jdk; others: https://adoptium.net) or point JAVA_HOME at it.
MVN := JAVA_HOME="$(JDK)" mvn -B -ntp

help:
	@echo "make run             build, and digest the JDK's own files through locked frames, checked by sha256sum"
	@echo "make run ARGS=...    the same for any command: make run ARGS='digest DIR', 'stress --seconds 5', 'doctor'"
	@echo "make test            all tests; make test T=Name for one class"
	@echo "make verify          every proof in its long form, hours of it, and one table of what held"
	@echo "make model           the protocol's models, checked exhaustively with spin, and the bugs that they must find"
	@echo "make bench           the benchmarks, side by side; make bench QUICK=1 takes 4 minutes at most"
	@echo "make load            an HTTP server's throughput and p99, Netty's allocator and this, in turns; QUICK=1: 30 s"
	@echo "make jcstress        pairs of operations at the same moment, half an hour; QUICK=1: 3 minutes; T=Name for some"
	@echo "make build           target/labyrinth.jar, library and command line in one"
	@echo "make bindings        regenerate bindings/ with a jextract on PATH"
	@echo "make native          compile the C side into target/native"
	@echo "make which-java      the java that all of this uses"
	@echo "make clean"

jdk:
	@[ -n "$(JDK)" ] || { echo "$(NO_JDK)" >&2; exit 1; }

which-java: jdk
	@echo "$(JDK)/bin/java"

build: jdk
	@$(MVN) -q -DskipTests package

run: build
ifdef ARGS
	@"$(JDK)/bin/java" -jar target/labyrinth.jar $(ARGS)
else
	"$(JDK)/bin/java" -jar target/labyrinth.jar digest "$(JDK)" > target/jdk.sums
	sha256sum -c --quiet target/jdk.sums && echo "sha256sum agrees on all $$(wc -l < target/jdk.sums) files"
endif

test: jdk
	@$(MVN) verify $(if $(T),-Dtest=$(T) -Dsurefire.failIfNoSpecifiedTests=false) $(if $(LONG),-Dlabyrinth.long=true)

verify: jdk
	@src/test/verify/verify

model:
	@src/test/promela/check

bench: jdk native
	@$(MVN) -q -Pbench -DskipTests test-compile dependency:build-classpath -Dmdep.outputFile=target/bench.classpath
	@"$(JDK)/bin/java" --enable-native-access=ALL-UNNAMED \
		-cp "target/bench-classes:target/classes:$$(cat target/bench.classpath)" \
		io.labyrinth.bench.Bench $(if $(QUICK),quick,full) $(BENCH)

load: jdk
	@$(MVN) -q -Pbench -DskipTests test-compile dependency:build-classpath -Dmdep.outputFile=target/bench.classpath
	@mkdir -p target/load
	@"$(JDK)/bin/java" -cp "target/bench-classes:target/classes:$$(cat target/bench.classpath)" \
		io.labyrinth.bench.Load $(if $(QUICK),quick,full) target/load

jcstress: jdk
	@$(MVN) -q -Pjcstress -DskipTests test-compile dependency:build-classpath -Dmdep.outputFile=target/jcstress.classpath
	@"$(JDK)/bin/java" --enable-native-access=ALL-UNNAMED -XX:-RestrictContended \
		-cp "target/jcstress-classes:target/classes:$$(cat target/jcstress.classpath)" \
		io.labyrinth.Pairs $(if $(QUICK),quick,long) $(if $(T),'$(T)')

bindings: jdk
	@command -v jextract > /dev/null || { echo "put a jextract on PATH: https://jdk.java.net/jextract" >&2; exit 1; }
	rm -rf bindings/io && jextract @bindings/jextract.args

native:
	@mkdir -p target/native
	$(CC) -std=c11 -O2 -Wall -Wextra -Werror -o target/native/populate native/populate.c

clean:
	rm -rf target

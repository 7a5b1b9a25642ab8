# Thin: finds a JDK >= 25 by itself, and leaves the rest to Maven. Nothing that Maven calls comes back here.
.PHONY: help which-java build run run-native test verify mutants model bench jcstress bindings native native-test
.PHONY: native-bench uring browser load ownership vm reproducible clean jdk

JDK := $(shell src/build/find-jdk 2> /dev/null)
CLI := "$(JDK)/bin/java" -jar target/labyrinth-cli.jar
# A download that stalls is given up after a minute (up to Maven 3.8, and later): Maven's own limit is half an hour.
MVN := env JAVA_HOME="$(JDK)" mvn -B -ntp -Dmaven.wagon.rto=60000 -Daether.connector.requestTimeout=60000

help:
	@echo "make run             build, and digest the JDK's own files through locked frames, checked by sha256sum"
	@echo "make run ARGS=...    the same for any command: make run ARGS='digest DIR', 'stress --seconds 5', 'doctor'"
	@echo "make run-native      the same with a native program at the other end, killed half-way and begun again"
	@echo "make test            all tests, a line for each class; make test T=Name for one class"
	@echo "make verify          every proof in its long form, and one table of what held, 90 minutes; QUICK=1: 18"
	@echo "make model           the protocol's models, checked exhaustively with spin, and the bugs that they must find"
	@echo "make mutants         plants one bug after the other, and says which test finds it; QUICK=1 takes some of them"
	@echo "make ownership       a crowd's frames, stamped and read back, 10^9 operations, hours; N=10000000 for so many"
	@echo "make vm              emulated machines: other kernels, processors, page sizes; M=name for one; QUICK=1: two"
	@echo "make browser         the page of labyrinth map in a headless Chromium, if there is one"
	@echo "make bench           the benchmarks, side by side; make bench QUICK=1 takes 4 minutes at most"
	@echo "make load            an HTTP server's throughput and p99, Netty's allocator and this, in turns; QUICK=1: 30 s"
	@echo "make jcstress        pairs of operations at the same moment, 10 minutes; QUICK=1: 3 minutes; T=Name for some"
	@echo "make build           target/labyrinth.jar, the library, and target/labyrinth-cli.jar, the command line"
	@echo "make reproducible    builds twice, in two folders, and compares the jars byte by byte"
	@echo "make bindings        regenerate bindings/ with a jextract on PATH"
	@echo "make native          compile the C side into target/native"
	@echo "make uring           an example: frames as one registered buffer of io_uring (needs liburing-dev)"
	@echo "make native-test     its tests, also under the sanitizers; make native-test LONG=1 kills 2,000 processes"
	@echo "make native-bench    what a frame costs in C"
	@echo "make which-java      the java that all of this uses"
	@echo "make clean"

jdk:
	@src/build/find-jdk check

which-java: jdk
	@echo "$(JDK)/bin/java"

build: jdk
	@$(MVN) -q -Dmaven.test.skip package

run: build
ifdef ARGS
	@$(CLI) $(ARGS)
else
	$(CLI) digest "$(JDK)" > target/jdk.sums
	sha256sum -c --quiet target/jdk.sums && echo "sha256sum agrees on all $$(wc -l < target/jdk.sums) files"
endif

# The JDK's libraries, hashed at the other end of the frames; the other process is killed half-way, and begun again.
run-native: build native
	for end in --to=target/native/consume --from=target/native/produce; do \
		$(CLI) relay $$end --kill 20 "$(JDK)"/lib/*.so "$(JDK)"/lib/server/* \
			"$(JDK)"/bin/* > target/relay.sums && sha256sum -c --quiet target/relay.sums \
			&& echo "sha256sum agrees on all $$(wc -l < target/relay.sums) files" || exit 1; done

# What mvn verify does, in a line for each class.
test: jdk
	@src/build/in-brief $(MVN) verify \
		$(if $(T),-Dtest='$(T)' -Dsurefire.failIfNoSpecifiedTests=false -Dmaven.javadoc.skip) \
		$(if $(MERGE),-Dlabyrinth.scale=merge) \
		$(if $(LONG),-Dlabyrinth.scale=long -Djunit.jupiter.execution.timeout.default=100m -Dsurefire.timeout=9000)

reproducible: jdk
	@JDK="$(JDK)" src/test/verify/reproducible

verify: jdk
	@src/test/verify/verify $(if $(QUICK),quick)

model:
	@src/test/promela/check

mutants: jdk
	@$(MVN) -q test-compile dependency:build-classpath -Dmdep.outputFile=target/mutants.classpath
	@"$(JDK)/bin/java" -cp "target/test-classes:target/classes:$$(cat target/mutants.classpath)" \
		io.labyrinth.mutants.Mutants $(if $(QUICK),quick) $(MUTANT)

ownership: jdk
	@$(MVN) -q test-compile dependency:build-classpath -Dmdep.outputFile=target/test.classpath
	@"$(JDK)/bin/java" -Xmx256m --enable-native-access=ALL-UNNAMED \
		-cp "target/test-classes:target/classes:$$(cat target/test.classpath)" \
		io.labyrinth.OwnershipStress $(or $(N),1000000000)

vm: jdk
	@$(MVN) -q -DskipTests package
	@JDK="$(JDK)" src/test/vm/vm $(or $(M),$(if $(QUICK),quick))

browser: jdk
	@$(MVN) -q -DskipTests test-compile dependency:build-classpath -Dmdep.outputFile=target/test.classpath
	@"$(JDK)/bin/java" --enable-native-access=ALL-UNNAMED \
		-cp "target/test-classes:target/classes:$$(cat target/test.classpath)" io.labyrinth.map.Browser target/browser

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
	@$(MAKE) -s -C native

uring: native
	@$(MAKE) -s -C native ../target/native/uring
	target/native/uring "$(JDK)/lib/modules"

native-test:
	@$(MAKE) -s -C native test $(if $(LONG),KILLS=2000 STEPS=20 ROUNDS=300000)

native-bench:
	@$(MAKE) -s -C native bench

clean:
	rm -rf target

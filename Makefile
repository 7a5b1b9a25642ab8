# Finds a JDK >= 25, and leaves the rest to Maven. Maven never calls this file.
.PHONY: help which-java build run run-native test verify mutants model bench jcstress bindings native native-test
.PHONY: native-bench uring browser load ownership vm reproducible clean jdk

JDK := $(shell src/build/find-jdk 2> /dev/null)
CLI := "$(JDK)/bin/java" -jar target/labyrinth-cli.jar
# Maven gives up a stalled download only after half an hour. These settings make it a minute: the first one for Maven up
# to 3.8, the second one for later versions.
MVN := env JAVA_HOME="$(JDK)" mvn -B -ntp -Dmaven.wagon.rto=60000 -Daether.connector.requestTimeout=60000

help:
	@echo "make run             builds, and hashes the JDK's own files through locked frames; sha256sum checks the sums"
	@echo "make run ARGS=...    builds, and runs a command: make run ARGS='digest DIR', 'stress --seconds 5', 'doctor'"
	@echo "make run-native      hashes files with a native program at the other end, killed half-way and begun again"
	@echo "make test            runs all tests, with a line for each class; make test T=Name runs one class"
	@echo "make verify          runs every proof, and prints one table of what held: 90 minutes; QUICK=1: 18 minutes"
	@echo "make model           checks the models of the protocol with spin, and that they find planted bugs"
	@echo "make mutants         plants one bug after the other, and says which test finds it; QUICK=1: only some bugs"
	@echo "make ownership       stamps and checks frames from many threads: 10^9 operations, hours; N=10000000 for fewer"
	@echo "make vm              boots emulated machines with other kernels, processors and page sizes; M=name boots one,"
	@echo "                     QUICK=1 two"
	@echo "make browser         shows the page of labyrinth map in a headless Chromium, if there is one"
	@echo "make bench           runs the benchmarks, side by side: half an hour; QUICK=1: at most 4 minutes"
	@echo "make load            measures an HTTP server with Netty's allocator and with this one, in turns; QUICK=1: 30 s"
	@echo "make jcstress        runs pairs of operations at the same moment: 10 minutes; QUICK=1: 3; T=Name for some"
	@echo "make build           builds target/labyrinth.jar, the library, and target/labyrinth-cli.jar, the command line"
	@echo "make reproducible    builds twice, in two folders, and compares the bytes of the jars"
	@echo "make bindings        generates bindings/ again, with a jextract on PATH"
	@echo "make native          compiles the C side into target/native"
	@echo "make uring           runs an example: frames as one registered buffer of io_uring (needs liburing-dev)"
	@echo "make native-test     tests the C side, also under the sanitizers; LONG=1 kills 2,000 processes"
	@echo "make native-bench    measures what a frame costs in C"
	@echo "make which-java      prints the java that make uses"
	@echo "make clean           removes target"

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

# Hashes the JDK's libraries, with a native program at the other end. The program is killed half-way, and begun again.
run-native: build native
	for end in --to=target/native/consume --from=target/native/produce; do \
		$(CLI) relay $$end --kill 20 "$(JDK)"/lib/*.so "$(JDK)"/lib/server/* \
			"$(JDK)"/bin/* > target/relay.sums && sha256sum -c --quiet target/relay.sums \
			&& echo "sha256sum agrees on all $$(wc -l < target/relay.sums) files" || exit 1; done

# Does what mvn verify does, and prints a line for each class.
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
		io.labyrinth.stress.OwnershipStress $(or $(N),1000000000)

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

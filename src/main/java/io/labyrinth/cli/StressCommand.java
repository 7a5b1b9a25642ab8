package io.labyrinth.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(name = "stress")
final class StressCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        return 1;
    }
}

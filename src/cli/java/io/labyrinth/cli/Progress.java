package io.labyrinth.cli;

import java.io.PrintStream;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** A progress bar, if standard error is a terminal. Its end is not known at first: it moves as more is found. */
final class Progress implements AutoCloseable {

    private static final int UPDATE_MILLIS = 200;

    private final @Nullable ProgressBar bar;

    Progress(String task, String unit, long unitSize, boolean wanted) {
        bar = wanted && Terminal.isThere() ? bar(task, unit, unitSize) : null;
    }

    private static ProgressBar bar(String task, String unit, long unitSize) {
        PrintStream err = System.err;
        return new ProgressBarBuilder().setTaskName(task).setUnit(unit, unitSize).setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(UPDATE_MILLIS).setInitialMax(0).showSpeed()
                .setConsumer(new DelegatingProgressBarConsumer(line -> err.print("\r" + line), Terminal.columns() - 1))
                .build();
    }

    void found(long steps) {
        if (bar != null) {
            bar.maxHint(bar.getMax() + steps);
        }
    }

    void done(long steps) {
        if (bar != null) {
            bar.stepBy(steps);
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            System.err.println();
        }
    }
}

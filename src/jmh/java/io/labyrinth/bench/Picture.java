package io.labyrinth.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The latency distributions as they are usually drawn: one in so many operations took so long or longer. */
final class Picture {

    /** Points for each halving of the distance to 100 %. */
    private static final int TICKS = 5;
    /** One in a million: what is rarer is single events. */
    private static final double RAREST = 1e6;

    private Picture() {
    }

    static void write(Path file, Map<String, Histogram> histograms) throws IOException {
        System.setProperty("java.awt.headless", "true");
        XYChart chart = new XYChartBuilder().width(1200).height(700)
                .title("One 4 KiB buffer taken, written and given back, timer included")
                .xAxisTitle("one in so many operations (10: p90, 10,000: p99.99)")
                .yAxisTitle("nanoseconds, or longer").build();
        chart.getStyler().setXAxisLogarithmic(true).setYAxisLogarithmic(true);
        chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
        histograms.forEach((name, histogram) -> {
            List<Double> oneIn = new ArrayList<>();
            List<Double> nanos = new ArrayList<>();
            for (HistogramIterationValue value : histogram.percentiles(TICKS)) {
                double rarity = 100 / (100 - value.getPercentileLevelIteratedTo());
                if (rarity <= RAREST) {
                    oneIn.add(rarity);
                    nanos.add((double) Math.max(1, value.getValueIteratedTo()));
                }
            }
            chart.addSeries(name, oneIn, nanos).setMarker(SeriesMarkers.NONE);
        });
        BitmapEncoder.saveBitmap(chart, file.toString(), BitmapEncoder.BitmapFormat.PNG);
    }
}

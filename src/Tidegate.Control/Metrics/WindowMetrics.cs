using Tidegate.Policies.Limits.Learning;

namespace Tidegate.Control.Metrics;

/// <summary>What providers said is left of their windows. Of those that are counted apart (keys, hosts, buckets) under one name the one of which least is left: they are too many to be labels.</summary>
internal static class WindowMetrics
{
    private static readonly MetricDescription Limit = new("tidegate_provider_window_limit", "tidegate.provider.window_limit", "1", MetricKind.Gauge, "How much passes in a whole window of a provider's, as its answers say.");
    private static readonly MetricDescription Remaining = new("tidegate_provider_window_remaining", "tidegate.provider.window_remaining", "1", MetricKind.Gauge, "How much is left of a provider's window, as its answers say; of several counts the one of which least is left.");
    private static readonly MetricDescription Reset = new("tidegate_provider_window_reset_seconds", "tidegate.provider.window_reset", "s", MetricKind.Gauge, "Until when a provider's window begins anew, or is full again.");

    private static readonly MetricLabelName Window = new("window", "tidegate.provider.window");

    public static void Write(IMetricWriter writer, IGatewayView gateway)
    {
        var windows = gateway.Limits.Providers.OrderBy(provider => provider.Api, StringComparer.Ordinal)
            .SelectMany(provider => provider.Windows().GroupBy(window => window.Name).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => group.MinBy(Left)!)).ToList();
        writer.Begin(Limit);
        foreach (var window in windows)
        {
            if (window.State.Limit > 0)
            {
                writer.Write(window.State.Limit, Labels(window));
            }
        }

        writer.Begin(Remaining);
        foreach (var window in windows)
        {
            writer.Write(window.State.Remaining, Labels(window));
        }

        writer.Begin(Reset);
        foreach (var window in windows)
        {
            writer.Write(window.State.ResetsIn.TotalSeconds, Labels(window));
        }

        static MetricLabel[] Labels(KnownWindow window) => [new(MetricLabels.Api, window.Api), new(Window, window.Name)];
    }

    private static double Left(KnownWindow window) => window.Used is { } used ? 1 - used : window.State.Remaining;
}

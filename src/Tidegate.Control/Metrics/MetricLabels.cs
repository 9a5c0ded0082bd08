using System.Globalization;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Metrics;

/// <summary>Labels of everything that is about exchanges.</summary>
internal static class MetricLabels
{
    public static readonly MetricLabelName Direction = new("direction", "tidegate.direction");
    public static readonly MetricLabelName Api = new("api", "tidegate.api");
    public static readonly MetricLabelName Endpoint = new("endpoint", "tidegate.endpoint");
    public static readonly MetricLabelName Host = new("host", "server.address");
    public static readonly MetricLabelName Scheme = new("scheme", "url.scheme");
    public static readonly MetricLabelName Consumer = new("consumer", "tidegate.consumer");
    public static readonly MetricLabelName Tenant = new("tenant", "tidegate.tenant");
    public static readonly MetricLabelName Environment = new("environment", "tidegate.environment");
    public static readonly MetricLabelName Method = new("method", "http.request.method");
    public static readonly MetricLabelName Status = new("status", "http.response.status_code") { IsNumber = true };
    public static readonly MetricLabelName Outcome = new("outcome", "tidegate.outcome");
    public static readonly MetricLabelName Code = new("code", "tidegate.code");
    public static readonly MetricLabelName Policy = new("policy", "tidegate.policy");
    public static readonly MetricLabelName ErrorType = new(null, "error.type");
    public static readonly MetricLabelName Currency = new("currency", "tidegate.currency");
    public static readonly MetricLabelName Table = new("table", "tidegate.metrics.table");

    private static readonly string[] Statuses = [.. Enumerable.Range(0, 1000).Select(Text)];

    public static MetricLabel Of(Direction direction) => new(Direction, ExchangeWords.Of(direction));

    /// <summary>0 is no answer; below 10 it is a class.</summary>
    public static string StatusText(int status) => (uint)status < Statuses.Length ? Statuses[status] : "";

    /// <summary>What OpenTelemetry calls the error of a request; empty when it is none: a server's 4xx is the client's, a client's is an error.</summary>
    public static string ErrorTypeOf(Direction direction, Outcome outcome, int status, string code) =>
        outcome == Exchanges.Outcome.Failed || (outcome == Exchanges.Outcome.Rejected && IsError(direction, status)) ? code
        : IsError(direction, status) ? StatusText(status)
        : "";

    private static bool IsError(Direction direction, int status) => status >= (direction == Exchanges.Direction.Ingress ? 500 : 400);

    private static string Text(int status) => status is > 0 and < 10
        ? status.ToString(CultureInfo.InvariantCulture) + "xx"
        : status.ToString(CultureInfo.InvariantCulture);
}

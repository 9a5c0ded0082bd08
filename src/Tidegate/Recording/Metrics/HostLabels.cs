using System.Globalization;
using Tidegate.Exchanges;

namespace Tidegate.Recording.Metrics;

/// <summary>
/// Decides which hosts may be label values. On ingress none: a client writes whatever it likes there. On egress a host must have been
/// reached, or be listed by an API, before it takes one of a bounded number of places; all others are <see cref="SeriesKey.Other"/>.
/// </summary>
/// <param name="capacity">Different hosts.</param>
internal sealed class HostLabels(int capacity)
{
    private readonly Dictionary<(string Host, int Port), string> _known = [];

    /// <summary>Exchanges whose host found no place.</summary>
    public long Folded { get; private set; }

    /// <summary>Host, and the port unless it is the scheme's own; empty on ingress and when no target was known.</summary>
    public string Of(in ExchangeRecord record)
    {
        if (record.Direction == Direction.Ingress || record.Host.Length == 0)
        {
            return "";
        }

        if (_known.TryGetValue((record.Host, record.Port), out var label))
        {
            return label;
        }

        var isReached = record.Outcome is Outcome.Forwarded or Outcome.ServedFromCache || (record.Outcome is Outcome.Failed or Outcome.ServedFromFallback && record.Api.Length > 0);
        if (!isReached)
        {
            return SeriesKey.Other;
        }

        if (_known.Count >= capacity)
        {
            Folded++;
            return SeriesKey.Other;
        }

        var isAddress6 = record.Host.Contains(':');
        label = record.Port == (record.Scheme == "https" ? 443 : 80) ? record.Host
            : string.Create(CultureInfo.InvariantCulture, $"{(isAddress6 ? "[" : "")}{record.Host}{(isAddress6 ? "]" : "")}:{record.Port}");
        _known.Add((record.Host, record.Port), label);
        return label;
    }
}

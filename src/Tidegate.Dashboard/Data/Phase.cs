using Tidegate.Recording;

namespace Tidegate.Dashboard.Data;

/// <summary>A part of an exchange's time.</summary>
/// <param name="Name">What happened in it.</param>
/// <param name="Class">Its colour.</param>
/// <param name="Length">How long.</param>
public sealed record Phase(string Name, string Class, TimeSpan Length)
{
    /// <summary>In the order in which they came.</summary>
    internal static IReadOnlyList<Phase> Of(in ExchangeRecord record)
    {
        var wait = record.TimeToFirstByte - record.Connect;
        var rest = record.Total - record.Queue - record.Policies - record.TimeToFirstByte;
        Phase[] phases =
        [
            new("waited for a limit", "queue", record.Queue),
            new("policies", "policies", record.Policies),
            new("connected", "connect", record.Connect),
            new(record.Attempts > 1 ? "attempts, pauses and the wait for the answer" : "waited for the answer", "wait", wait),
            new(record.Outcome == Exchanges.Outcome.Failed && record.TimeToFirstByte == TimeSpan.Zero ? "until it failed" : "content", "content", rest),
        ];
        return [.. phases.Where(phase => phase.Length > TimeSpan.Zero)];
    }
}

/// <summary>A thing to know.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Value">Empty: nothing to say.</param>
/// <param name="Path">Where one sees more; empty: nowhere.</param>
public sealed record Fact(string Name, string Value, string Path = "");

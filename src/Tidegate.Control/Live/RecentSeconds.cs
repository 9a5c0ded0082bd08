using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Live;

/// <summary>How many exchanges ended in each of the last seconds, and how many of them in trouble, by direction.</summary>
internal sealed class RecentSeconds(TimeProvider time) : IExchangeSink
{
    /// <summary>Three minutes: what one sees at a glance.</summary>
    public const int Seconds = 180;

    private readonly Lock _gate = new();
    private readonly SecondCounts[][] _directions = [new SecondCounts[Seconds], new SecondCounts[Seconds]];

    /// <inheritdoc/>
    public string Name => "seconds";

    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var second = time.GetUtcNow().ToUnixTimeSeconds();
            foreach (ref readonly var record in batch.Span)
            {
                ref var counts = ref _directions[(int)record.Direction][second % Seconds];
                counts = counts.Second == second ? counts : new SecondCounts(second, 0, 0);
                var isTrouble = ErrorRule.IsError(record.Outcome, record.Status, record.Reason);
                counts = counts with { Exchanges = counts.Exchanges + 1, Errors = counts.Errors + (isTrouble ? 1 : 0) };
            }
        }

        return default;
    }

    /// <summary>The seconds that are over, the oldest first; those without an exchange are zero.</summary>
    public IReadOnlyList<SecondCounts> Read(Direction direction)
    {
        var read = new SecondCounts[Seconds - 1];
        lock (_gate)
        {
            var now = time.GetUtcNow().ToUnixTimeSeconds();
            for (var i = 0; i < read.Length; i++)
            {
                var second = now - read.Length + i;
                var kept = _directions[(int)direction][second % Seconds];
                read[i] = kept.Second == second ? kept : new SecondCounts(second, 0, 0);
            }
        }

        return read;
    }
}

/// <summary>One second of one direction.</summary>
/// <param name="Second">Since 1970.</param>
/// <param name="Exchanges">That ended in it.</param>
/// <param name="Errors">See <see cref="ErrorRule"/>.</param>
internal readonly record struct SecondCounts(long Second, int Exchanges, int Errors);

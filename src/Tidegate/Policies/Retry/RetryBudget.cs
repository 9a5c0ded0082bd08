using System.Collections.Concurrent;

namespace Tidegate.Policies.Retry;

/// <summary>
/// Lets retries be a share of what succeeds. Two bounds keep an outage from being amplified by what was saved before it: no more is saved than a tenth of the calls of
/// the last ten seconds, and as long as nothing succeeds no more is spent than a few, and one for every twenty calls that fail.
/// </summary>
internal sealed class RetryBudget(TimeProvider time)
{
    /// <summary>Ten: a quiet API's first trouble is retried although little was paid in, and an outage costs no more than that.</summary>
    public const double Reserve = 10;

    /// <summary>What a busy API may have saved for a bad second.</summary>
    public const double MaxBalance = 100;

    // Of the calls of late. The bound of 1.1 times the offered load holds for them too when only some fail.
    private const double SavedShare = 0.1;

    // One in twenty while nothing succeeds: with the ten above, below 1.1 times what callers send from 200 calls on.
    private const double FailingShare = 0.05;

    private const int Slots = 10;

    private readonly Lock _gate = new();
    private readonly int[] _calls = new int[Slots];
    private double _balance = Reserve;
    private long _slot;
    private long _recentCalls;
    private long _failedInRow;
    private long _spentInRow;

    /// <summary>Retries that could be made now.</summary>
    public double Balance
    {
        get
        {
            lock (_gate)
            {
                Advance();
                return Math.Max(0, Math.Min(_balance, Reserve + (FailingShare * _failedInRow) - _spentInRow));
            }
        }
    }

    /// <summary>A call succeeded.</summary>
    /// <param name="share">Retries that it pays for.</param>
    /// <param name="isFirst">At its first attempt.</param>
    public void Succeeded(double share, bool isFirst)
    {
        lock (_gate)
        {
            Advance();
            Count(isFirst);
            (_failedInRow, _spentInRow) = (0, 0);
            _balance = Math.Min(Cap, _balance + share);
        }
    }

    /// <summary>A call's first attempt failed.</summary>
    public void Failed()
    {
        lock (_gate)
        {
            Advance();
            Count(isFirst: true);
            _failedInRow++;
        }
    }

    /// <summary>Takes one retry; false when none is left.</summary>
    public bool TryWithdraw()
    {
        lock (_gate)
        {
            Advance();
            if (_balance < 1 || _spentInRow + 1 > Reserve + (FailingShare * _failedInRow))
            {
                return false;
            }

            _balance--;
            _spentInRow++;
            return true;
        }
    }

    private double Cap => Math.Clamp(SavedShare * _recentCalls, Reserve, MaxBalance);

    private void Count(bool isFirst)
    {
        if (isFirst)
        {
            _calls[_slot % Slots]++;
            _recentCalls++;
        }
    }

    /// <summary>Each slot is a second. What was saved for more traffic than there is now is let go.</summary>
    private void Advance()
    {
        var now = time.GetTimestamp() / time.TimestampFrequency;
        for (var next = Math.Max(_slot + 1, now - Slots + 1); next <= now; next++)
        {
            ref var calls = ref _calls[next % Slots];
            _recentCalls -= calls;
            calls = 0;
        }

        if (now > _slot)
        {
            _slot = now;
            _balance = Math.Min(_balance, Cap);
        }
    }
}

/// <summary>The budgets of all APIs; they outlive a configuration.</summary>
internal sealed class RetryBudgets(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, RetryBudget> _budgets = new();

    public RetryBudget Of(string api) => _budgets.GetOrAdd(api, static (_, clock) => new RetryBudget(clock), time);
}

using System.Collections.Concurrent;

namespace Tidegate.Policies.Retry;

/// <summary>
/// Lets retries be a share of what succeeds. While an upstream is down nothing is paid in, so what is kept is soon spent, and the outage gets hardly more
/// traffic than its callers send.
/// </summary>
internal sealed class RetryBudget
{
    // Ten: a quiet API's first trouble is retried although little was paid in, and an outage costs no more than that.
    private const double Reserve = 10;

    // What a busy API may have saved for a bad second.
    public const double MaxBalance = 100;

    private readonly Lock _gate = new();
    private double _balance = Reserve;

    /// <summary>Retries that could be made now.</summary>
    public double Balance
    {
        get
        {
            lock (_gate)
            {
                return _balance;
            }
        }
    }

    /// <summary>A call succeeded.</summary>
    /// <param name="share">Retries that it pays for.</param>
    public void Deposit(double share)
    {
        lock (_gate)
        {
            _balance = Math.Min(MaxBalance, _balance + share);
        }
    }

    /// <summary>Takes one retry; false when none is left.</summary>
    public bool TryWithdraw()
    {
        lock (_gate)
        {
            if (_balance < 1)
            {
                return false;
            }

            _balance--;
            return true;
        }
    }
}

/// <summary>The budgets of all APIs; they outlive a configuration.</summary>
internal sealed class RetryBudgets
{
    private readonly ConcurrentDictionary<string, RetryBudget> _budgets = new();

    public RetryBudget Of(string api) => _budgets.GetOrAdd(api, static _ => new RetryBudget());
}

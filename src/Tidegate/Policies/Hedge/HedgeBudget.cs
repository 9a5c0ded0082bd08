namespace Tidegate.Policies.Hedge;

/// <summary>Lets hedges be a share of calls: when everything is slow at once, an upstream gets hardly more than its callers send.</summary>
internal sealed class HedgeBudget
{
    // The first slow call of a quiet API may be hedged; a sudden slowness of a busy one costs this many at once, then its share.
    private const double Reserve = 1;
    private const double MaxBalance = 10;

    private readonly Lock _gate = new();
    private double _balance = Reserve;

    /// <summary>A call came.</summary>
    /// <param name="share">Hedges that it pays for.</param>
    public void Deposit(double share)
    {
        lock (_gate)
        {
            _balance = Math.Min(MaxBalance, _balance + share);
        }
    }

    /// <summary>Takes one hedge; false when none is left.</summary>
    public bool TryWithdraw()
    {
        lock (_gate)
        {
            // Twenty times five percent are one, whatever binary fractions make of it.
            if (_balance < 1 - 1e-9)
            {
                return false;
            }

            _balance = Math.Max(0, _balance - 1);
            return true;
        }
    }
}

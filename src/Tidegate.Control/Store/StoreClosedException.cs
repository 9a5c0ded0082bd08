using System.Data.Common;

namespace Tidegate.Control.Store;

/// <summary>The store could not be opened yet: nothing is kept, and there is nothing to be read.</summary>
internal sealed class StoreClosedException(string reason) : DbException($"Exchanges are not kept now: {reason} It is tried again each minute.")
{
    /// <summary>For whoever sees only some tenants' exchanges: the rest is the gateway's own.</summary>
    private const string ForTenants = "Exchanges are not kept now. The log says why.";

    /// <summary>What people are told.</summary>
    public string For(bool seesAll) => seesAll ? Message : ForTenants;
}

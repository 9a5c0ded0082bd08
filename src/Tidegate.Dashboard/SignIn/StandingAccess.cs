using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>What is open without a session, for the token or because nobody has to sign in: it ends when another configuration does not let it in any more.</summary>
internal sealed class StandingAccess : IDisposable
{
    private readonly Lock _gate = new();
    private CancellationTokenSource _ends = new();
    private string? _means;

    /// <summary>When what somebody opens now ends; at once when the configuration that let them in is not in force any more.</summary>
    public CancellationToken EndOf(AdminAccess access)
    {
        lock (_gate)
        {
            _means ??= MeansOf(access);
            return _means == MeansOf(access) ? _ends.Token : new CancellationToken(canceled: true);
        }
    }

    /// <summary>Another configuration is in force.</summary>
    public void Apply(AdminAccess access)
    {
        lock (_gate)
        {
            if (_means is null || _means == MeansOf(access))
            {
                return;
            }

            _means = MeansOf(access);
            _ends.Cancel();
            _ends.Dispose();
            _ends = new CancellationTokenSource();
        }
    }

    public void Dispose() => _ends.Dispose();

    // In memory only, as the token itself is.
    private static string MeansOf(AdminAccess access) => access.IsOpen ? "open" : "token " + access.Token?.Value;
}

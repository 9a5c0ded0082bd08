using System.Globalization;
using Tidegate.Configuration;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Signs in people whom the gateway knows itself.</summary>
internal sealed class UserSignIn(TimeProvider time) : IDisposable
{
    /// <summary>More than anybody types, little enough to hash.</summary>
    public const int MaxLength = 200;

    private readonly SignInThrottle _throttle = new(time);

    // Each takes some 20 ms of a core and 19 MiB, and the machine has traffic to carry: one at a time, and a few who wait for their turn.
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly SignInPlaces _places = new();

    /// <summary>Who that is; else what to tell them.</summary>
    public async Task<(AdminCaller? Caller, string Trouble)> TryAsync(SignInSettings settings, string name, string password, string address, CancellationToken cancellationToken)
    {
        if (name.Length > MaxLength || password.Length > MaxLength)
        {
            return (null, "Name or password is wrong.");
        }

        if (_throttle.Wait(name, address) is var wait && wait > TimeSpan.Zero)
        {
            return (null, string.Create(CultureInfo.InvariantCulture, $"Too many wrong passwords. Try again in {Math.Ceiling(wait.TotalSeconds)} s."));
        }

        var network = SignInThrottle.NetworkOf(address);
        if (_places.TryTake(network) is { } full)
        {
            return (null, full);
        }

        try
        {
            await _turn.WaitAsync(cancellationToken);
            try
            {
                if (_throttle.Wait(name, address) > TimeSpan.Zero)
                {
                    // Others came at the same time.
                    return (null, "Too many wrong passwords. Try again in a moment.");
                }

                var user = settings.Users.GetValueOrDefault(name);
                if (!(HashFor(settings, name) is { } hash && Passwords.Fits(password, hash)) || user is null)
                {
                    _throttle.Failed(name, address);
                    return (null, "Name or password is wrong.");
                }

                _throttle.Succeeded(name, address);
                return (AdminCaller.Of(user.Name, user.Role, user.Tenants), "");
            }
            finally
            {
                _turn.Release();
            }
        }
        finally
        {
            _places.Leave(network);
        }
    }

    /// <summary>
    /// What a name's password is held against. Whether a name exists must not show in the time, and hashes may differ in what they cost: for a name that nobody has it is always the same
    /// one of somebody's, whatever comes of it. Null: nobody has a name.
    /// </summary>
    internal static PasswordHash? HashFor(SignInSettings settings, string name) =>
        settings.Users.TryGetValue(name, out var user) ? user.Password
        : settings.Users.Count == 0 ? null
        : settings.Users.Values.ElementAt((int)((uint)name.GetHashCode(StringComparison.Ordinal) % (uint)settings.Users.Count)).Password;

    public void Dispose() => _turn.Dispose();
}

using System.Globalization;
using Tidegate.Configuration;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Signs in people whom the gateway knows itself.</summary>
internal sealed class UserSignIn(TimeProvider time) : IDisposable
{
    /// <summary>More than anybody types, little enough to hash.</summary>
    public const int MaxLength = 200;

    // Each takes some 20 ms of a core and 19 MiB, and the machine has traffic to carry: one at a time, and a few who wait for their turn.
    private const int MaxWaiting = 8;

    private readonly SignInThrottle _throttle = new(time);
    private readonly SemaphoreSlim _turn = new(1, 1);

    // Whether a name exists must not show in the time.
    private readonly Lazy<PasswordHash> _nobodys = new(static () => Passwords.Hash("nobody has this one"));
    private int _waiting;

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

        if (Interlocked.Increment(ref _waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            return (null, "Too many people sign in at this moment. Try again.");
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
                var fits = Passwords.Fits(password, user?.Password ?? _nobodys.Value);
                if (user is null || !fits)
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
            Interlocked.Decrement(ref _waiting);
        }
    }

    public void Dispose() => _turn.Dispose();
}

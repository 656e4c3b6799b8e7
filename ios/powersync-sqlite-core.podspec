Pod::Spec.new do |s|
  s.name = 'powersync-sqlite-core'
  s.version = '@VERSION@'
  s.summary = 'The PowerSync SQLite extension'
  s.description = 'An SQLite extension that turns a database into an offline-first replica of a server-side database.'
  s.homepage = '@HOME@'
  s.license = { :type => 'Apache-2.0' }
  s.author = '@AUTHOR@'
  s.source = { :http => '@RELEASES@/powersync-sqlite-core.xcframework.zip' }
  s.vendored_frameworks = 'powersync-sqlite-core.xcframework'
  s.ios.deployment_target = '12.0'
  s.osx.deployment_target = '10.13'
  s.tvos.deployment_target = '12.0'
  s.watchos.deployment_target = '9.0'
end
